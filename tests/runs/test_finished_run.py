"""What a whole run leaves behind, and that the same call finds it finished."""

import json

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import limbeck as lk
from limbeck import record as records
from limbeck import teachers
from limbeck.core.identity import file_fingerprint
from limbeck.data.open import open_source
from limbeck.data.preprocess import Prepared, Preprocess, PreprocessSpec
from limbeck.recipe import load
from limbeck.verbs.predict import predict

ROLES = ("student", "baseline", "teacher-labels")


def test_the_folder_holds_what_is_promised(finished):
    names = {path.name for path in finished.folder.iterdir()}
    assert {"recipe.yaml", "record.json", "report.html", "teacher", "student", "checkpoints"} <= names
    assert {path.name for path in finished.student.iterdir()} >= {
        "model.safetensors", "config.json", "labels.json", "model.onnx", "README.md",
    }  # fmt: skip
    left = [path for path in finished.folder.rglob("*") if ".tmp" in path.name or path.name.endswith(".exporting")]
    assert left == []
    assert not list(finished.folder.rglob("checkpoint.safetensors"))  # those of finished trainings are of no more use


def test_the_record_on_disk_is_the_one_returned(finished):
    assert records.read(finished.folder) == finished.record


def test_every_file_that_the_record_names_is_there_and_whole(finished):
    record = finished.record
    files = [*record.files.values(), *(m.predictions for m in record.models), *(m.history for m in record.models)]
    for file in files:
        assert file_fingerprint(finished.folder / file.path) == file.sha256
    for export in record.exports:
        assert (finished.folder / export.path).stat().st_size == export.size_bytes


def test_time_is_told_by_stage(finished):
    timing = finished.record.timing_s
    assert list(timing) == ["teacher", "guide", "tuning", "students", "measuring", "export"]
    assert all(seconds >= 0 for seconds in timing.values())
    assert sum(timing.values()) < 600
    trained = [model for model in finished.record.models if model.train_s is not None]
    assert len(trained) == 1 + 3 * len(ROLES)
    assert timing["teacher"] >= trained[0].train_s


def test_the_resolved_recipe_is_the_run(finished, tiny):
    recipe = load(finished.folder / "recipe.yaml")
    assert (recipe.runtime.threads, recipe.train.epochs) == (1, 1)
    assert recipe.runtime.device in ("cpu", "cuda", "mps")
    assert yaml.safe_load((finished.folder / "recipe.yaml").read_text())["data"]["keep_labels"] == 0.3


# -- the teacher is kept


def test_the_teacher_folder_alone_gives_the_teacher_back(finished):
    """Family, settings, preprocessing and weights: rebuilt from the folder, it says what the record says it said."""
    folder = finished.folder / "teacher"
    config = json.loads((folder / "config.json").read_text())
    core = teachers.build(
        {"family": config["family"], **config["settings"]},
        inputs=tuple(config["input"]["shape"]),
        outputs=len(config["classes"]),
    )
    core.load_state_dict(load_file(folder / "model.safetensors"))
    model = Prepared(core, Preprocess(PreprocessSpec.from_dict(config["preprocess"]))).eval()
    test = open_source("digits", split="test")
    with torch.no_grad():
        logits = model(torch.from_numpy(test.read(np.arange(len(test))))).numpy()
    with np.load(finished.folder / finished.record.models[0].predictions.path) as file:
        np.testing.assert_allclose(file["logits"], logits, rtol=1e-4, atol=1e-5)


def test_the_teacher_config_says_what_it_is(finished):
    config = json.loads((finished.folder / "teacher" / "config.json").read_text())
    record = finished.record
    teacher = record.models[0]
    assert config["fingerprint"] == record.fingerprints.teacher
    assert config["sha256"] == {
        "model.safetensors": file_fingerprint(finished.folder / "teacher" / "model.safetensors")
    }
    assert config["classes"] == record.classes
    assert config["quality"]["split"] == "validation"
    assert config["quality"]["value"] == teacher.quality["validation"]["accuracy"].value
    assert config["training"]["steps"] == teacher.steps
    assert (config["licence"], config["origin"]) == (None, None)


# -- the same call again


def test_the_same_call_trains_nothing_and_says_the_same(finished, tiny, tmp_path, quick, said, monkeypatch, trainings):
    before = {path: path.stat().st_mtime_ns for path in finished.folder.glob("checkpoints/*/*")}
    weights = trainings(finished.folder)
    monkeypatch.setattr("limbeck.runs.fit.train", lambda *_, **__: pytest.fail("a finished training was done again"))
    record_text, report = (finished.folder / "record.json").read_bytes(), finished.report.read_bytes()
    try:
        again = lk.distil(recipe=tiny(), out=finished.folder, progress=said).record
    finally:  # the fixture is shared: `quick` measured nothing
        (finished.folder / "record.json").write_bytes(record_text)
        finished.report.write_bytes(report)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert trainings(finished.folder) == weights
    assert (
        f"going on in {finished.folder}, where {sum(map(len, weights.values()))} trainings are finished" in said.lines
    )
    first = finished.record
    assert again.verdict == first.verdict
    assert again.comparisons == first.comparisons
    assert again.tuning == first.tuning
    assert [m.quality for m in again.models] == [m.quality for m in first.models]
    assert [m.predictions for m in again.models] == [m.predictions for m in first.models]
    for stage in ("teacher", "tuning", "students"):  # seconds of trainings add up
        assert again.timing_s[stage] >= first.timing_s[stage]


def test_weights_that_were_deleted_are_trained_again(finished, tiny, tmp_path, quick, trainings):
    out = tmp_path / "run"
    lk.distil(recipe=tiny(verdict={"seeds": 1}), out=out)
    before = trainings(out)
    lost = next(iter(out.glob("checkpoints/*/weights.safetensors")))
    lost.unlink()
    lk.distil(recipe=tiny(verdict={"seeds": 1}), out=out)
    assert trainings(out) == before


def test_without_a_verdict_there_is_one_student_and_no_baseline(tiny, tmp_path):
    run = lk.distil(recipe=tiny(verdict={"seeds": 0}), out=tmp_path / "run")
    assert [model.role for model in run.record.models] == ["teacher", "student"]
    assert (run.verdict, run.record.comparisons) == (None, [])
    assert run.report.is_file()
    assert (run.student / "model.onnx").is_file()


def test_the_student_ships_and_answers(finished, tmp_path):
    test = open_source("digits", split="test")
    np.save(tmp_path / "x.npy", test.read(np.arange(20)))
    answers = predict(bundle=finished.folder, inputs=[tmp_path / "x.npy"])
    shipped = next(model for model in finished.record.models if model.role == "student")
    with np.load(finished.folder / shipped.predictions.path) as file:
        assert [int(answer.label) for answer in answers] == file["logits"][:20].argmax(1).tolist()
