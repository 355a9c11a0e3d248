"""The verbs for finished students: their answers are the program's, their refusals teach."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import nn

import limbeck
from limbeck.bundle.card import Facts
from limbeck.bundle.config import BundleConfig, InputConfig, Quality
from limbeck.bundle.read import read
from limbeck.bundle.rebuild import core_shape
from limbeck.errors import BundleError, DataError, ExportError, InputError, LimbeckError
from limbeck.exporting.finish import finish
from limbeck.record import Fingerprints
from limbeck.runtimes.noise import noise
from limbeck.runtimes.onnx import OnnxModel
from limbeck.students import build
from limbeck.verbs.export import export
from limbeck.verbs.measure import measure
from limbeck.verbs.predict import predict

CLASSES = ("null", "eins", "二", "ثلاثة", "four, 4")


def configuration(**changes) -> BundleConfig:
    fields = {
        "limbeck_version": limbeck.__version__,
        "name": "pictures",
        "task": "multiclass",
        "classes": CLASSES,
        "input": InputConfig(kind="image", shape=(1, 8, 8), dtype="uint8"),
        "preprocess": {"scale": 1 / 255, "mean": (0.5,), "std": (0.25,), "size": (10, 12), "channels": 3},
        "student": {"family": "convnet", "width": 4, "depth": 2},
        "quality": Quality(metric="accuracy", value=0.97, ci95=(0.95, 0.99), split="test"),
        "params": 395,
        "fingerprints": Fingerprints(data="d", teacher="t", recipe="r"),
    }
    return BundleConfig(**{**fields, **changes})


@pytest.fixture(scope="module")
def student(tmp_path_factory) -> Path:
    """A run's `student/` of a family."""
    torch.manual_seed(0)
    core = build({"family": "convnet", "width": 4, "depth": 2}, inputs=(3, 10, 12), outputs=5)
    with torch.no_grad():  # statistics that are not the initial ones
        core.train()(torch.randn(64, 3, 10, 12))
    folder = tmp_path_factory.mktemp("run") / "student"
    finish(folder, core=core, config=configuration(), facts=Facts(), raw=noise((1, 8, 8), "uint8", 20), timed=False)
    return folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    """A student of a user's own module that takes rows of numbers."""
    torch.manual_seed(0)
    core = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    config = configuration(
        name="rows",
        classes=("no", "yes"),
        input=InputConfig(kind="array", shape=(6,), dtype="float32"),
        preprocess={"scale": 1.0, "mean": (), "std": (), "size": None, "channels": None},
        student={"module": "mine:Net"},
        quality=None,
    )
    folder = tmp_path_factory.mktemp("rows") / "student"
    finish(folder, core=core, config=config, facts=Facts(), raw=noise((6,), "float32", 20), timed=False)
    return folder


def expected(student: Path, raw: np.ndarray) -> list[str]:
    return [CLASSES[row] for row in OnnxModel(student / "model.onnx")(raw).argmax(1)]


# ---------------------------------------------------------------- predict


def test_arrays_are_answered_row_by_row(student, tmp_path):
    raw = noise((1, 8, 8), "uint8", 300)
    np.save(tmp_path / "x.npy", raw)
    answers = predict(bundle=student, inputs=[tmp_path / "x.npy"])
    assert [answer.label for answer in answers] == expected(student, raw)
    assert [answer.row for answer in answers] == list(range(300))
    for answer in answers:
        assert tuple(answer.probabilities) == CLASSES
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.probability == max(answer.probabilities.values()) == answer.probabilities[answer.label]


def test_a_bundle_a_run_and_a_lone_file_answer_alike(student, tmp_path):
    np.save(tmp_path / "x.npy", noise((1, 8, 8), "uint8", 5))
    lone = shutil.copy(student / "model.onnx", tmp_path / "lone.onnx")
    first, *others = [predict(bundle=path, inputs=[tmp_path / "x.npy"]) for path in (student, student.parent, lone)]
    assert all(other == first for other in others)


def test_pictures_are_read_as_pixels(student, tmp_path):
    raw = noise((1, 8, 8), "uint8", 3)
    for index, picture in enumerate(raw):
        Image.fromarray(picture[0]).save(tmp_path / f"{index}.png")
    answers = predict(bundle=student, inputs=[tmp_path / "2.png", tmp_path])
    assert [Path(answer.file).name for answer in answers] == ["2.png", "0.png", "1.png", "2.png"]
    assert [answer.label for answer in answers[1:]] == expected(student, raw)
    assert answers[0].label == answers[3].label
    assert not any(answer.note for answer in answers)


def test_colour_and_size_are_converted_with_a_note(student, tmp_path):
    Image.new("RGB", (40, 30), (255, 0, 0)).save(tmp_path / "red.png")
    (answer,) = predict(bundle=student, inputs=[tmp_path / "red.png"])
    assert answer.note == "resized from 40 x 30 to 8 x 8 pixels"
    assert [answer.label] == expected(student, np.full((1, 1, 8, 8), 76, np.uint8))  # ITU-R 601 of red


@pytest.mark.parametrize("shape", [(8, 8), (3, 8, 8), (3, 8, 8, 1), (1, 8, 8)])
def test_arrays_without_a_batch_or_channel_axis(student, tmp_path, shape):
    raw = noise(shape, "uint8", 1)[0]
    np.save(tmp_path / "x.npy", raw)
    np.savez(tmp_path / "x.npz", x=raw.reshape(-1, 1, 8, 8), y=np.zeros(raw.size // 64, int))
    answers = predict(bundle=student, inputs=[tmp_path / "x.npy"])
    assert [answer.label for answer in answers] == expected(student, raw.reshape(-1, 1, 8, 8))
    assert [a.label for a in predict(bundle=student, inputs=[tmp_path / "x.npz"])] == [a.label for a in answers]


def test_rows_of_numbers(rows, tmp_path):
    raw = noise((6,), "float64", 9)
    np.save(tmp_path / "x.npy", raw)
    np.save(tmp_path / "one.npy", raw[0])
    answers = predict(bundle=rows, inputs=[tmp_path / "x.npy", tmp_path / "one.npy"])
    logits = OnnxModel(rows / "model.onnx")(raw.astype(np.float32))
    assert [answer.label for answer in answers[:-1]] == [("no", "yes")[row] for row in logits.argmax(1)]
    assert answers[-1].probabilities == answers[0].probabilities


def test_answers_are_written(student, tmp_path):
    np.save(tmp_path / "x.npy", noise((1, 8, 8), "uint8", 4))
    answers = predict(bundle=student, inputs=[tmp_path / "x.npy"], out=tmp_path / "made" / "out.json")
    written = json.loads((tmp_path / "made" / "out.json").read_text(encoding="utf-8"))
    assert written == [answer.model_dump() for answer in answers]
    predict(bundle=student, inputs=[tmp_path / "x.npy"], out=tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["label"] for row in table] == [answer.label for answer in answers]
    assert float(table[0]["二"]) == answers[0].probabilities["二"]


def broken_inputs(folder: Path) -> dict[str, Path]:
    paths = {name: folder / name for name in ("text.png", "cut.jpg", "wide.npy", "pickled.npy", "deep.tif", "nan.npy")}
    paths["text.png"].write_text("no picture")
    Image.new("RGB", (64, 64)).save(folder / "whole.jpg")
    paths["cut.jpg"].write_bytes((folder / "whole.jpg").read_bytes()[:300])
    np.save(paths["wide.npy"], np.zeros((2, 1, 9, 9), np.uint8))
    np.save(paths["pickled.npy"], np.array([{}], dtype=object), allow_pickle=True)
    Image.fromarray(np.zeros((8, 8), np.float32)).save(paths["deep.tif"])
    np.save(paths["nan.npy"], np.full((2, 6), np.nan))
    return paths


@pytest.mark.parametrize("name", ["text.png", "cut.jpg", "wide.npy", "pickled.npy", "deep.tif", "missing.png"])
def test_unreadable_input_is_named(student, tmp_path, name):
    path = broken_inputs(tmp_path).get(name, tmp_path / name)
    with pytest.raises(DataError, match=name.replace(".", r"\.")) as error:
        predict(bundle=student, inputs=[path], out=tmp_path / "out.json")
    assert error.value.exit_code == 2
    assert not (tmp_path / "out.json").exists()


def test_what_this_student_does_not_take(student, rows, tmp_path):
    paths = broken_inputs(tmp_path)
    with pytest.raises(DataError, match="holds uint8 image, 1 x 9 x 9 each; this student takes uint8 image, 1 x 8 x 8"):
        predict(bundle=student, inputs=[paths["wide.npy"]])
    with pytest.raises(DataError, match=r"takes float32 array, 6, not pictures"):
        predict(bundle=rows, inputs=[tmp_path / "whole.jpg"])
    with pytest.raises(DataError, match="NaN"):
        predict(bundle=rows, inputs=[paths["nan.npy"]])
    np.save(tmp_path / "float.npy", np.zeros((2, 1, 8, 8), np.float32))
    with pytest.raises(DataError, match="holds float32 array"):
        predict(bundle=student, inputs=[tmp_path / "float.npy"])


def test_nothing_to_answer(student, tmp_path):
    with pytest.raises(DataError, match="no input was given"):
        predict(bundle=student, inputs=[])
    with pytest.raises(DataError, match="holds no picture"):
        predict(bundle=student, inputs=[tmp_path])


def test_out_must_be_json_or_csv(student, tmp_path):
    with pytest.raises(InputError, match=r"use \.json or \.csv"):
        predict(bundle=student, inputs=[tmp_path], out=tmp_path / "out.xlsx")


def foreign(student: Path, path: Path) -> Path:
    model = onnx.load(student / "model.onnx")
    del model.metadata_props[:]
    onnx.save(model, path)
    return path


def test_a_file_from_elsewhere_has_no_classes(student, tmp_path):
    with pytest.raises(BundleError, match="says nothing of its classes"):
        predict(bundle=foreign(student, tmp_path / "m.onnx"), inputs=[tmp_path])


def test_a_changed_bundle_is_refused_by_every_verb(student, tmp_path):
    copied = Path(shutil.copytree(student, tmp_path / "student"))
    content = (copied / "model.onnx").read_bytes()
    (copied / "model.onnx").write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
    for call in (
        lambda: predict(bundle=copied, inputs=[tmp_path]),
        lambda: measure(file=copied),
        lambda: export(bundle=copied, to=["onnx"]),
    ):
        with pytest.raises(BundleError, match=r"model\.onnx was changed"):
            call()


# ---------------------------------------------------------------- measure


def test_measure_tells_size_speed_and_quality(student):
    found = measure(file=student, repeats=50, min_seconds=0.0)
    assert found.size_bytes == (student / "model.onnx").stat().st_size
    assert found.params == 395
    assert found.quality == configuration().quality
    assert (found.name, found.input) == ("pictures", "uint8, 1 x 8 x 8")
    assert 0 < found.latency_ms.p50 <= found.latency_ms.p90 <= found.latency_ms.p99 <= found.latency_ms.max
    assert found.latency_ms.repeats >= 50
    assert found.machine.cores >= 1
    assert json.loads(found.model_dump_json())["params"] == 395


def test_measure_of_a_file_from_elsewhere_counts_what_it_stores(student, tmp_path):
    found = measure(file=foreign(student, tmp_path / "m.onnx"), repeats=5, min_seconds=0.0, batch=3, threads=2)
    assert (found.latency_ms.batch, found.latency_ms.threads) == (3, 2)
    assert found.name is None
    assert found.quality is None
    folded = 4 * 3 * 9 + 4 + 4 * 9 + 4 + 8 * 4 + 8 + 8 * 9 + 8 + 8 * 8 + 8 + 5 * 8 + 5  # normalisation is in the biases
    assert abs(found.params - folded) <= 20  # and a few constants of the preprocessing


@pytest.mark.parametrize("numbers", [{"batch": 0}, {"threads": 0}, {"repeats": 0}])
def test_measure_refuses_numbers_below_one(student, numbers):
    with pytest.raises(InputError, match="at least 1"):
        measure(file=student, **numbers)


# ---------------------------------------------------------------- export


def test_a_family_is_built_again_from_its_weights(student, tmp_path):
    (done,) = export(bundle=student.parent, to=["onnx"], out=tmp_path / "made")
    assert done.path == (tmp_path / "made" / "model.onnx").as_posix()
    assert Path(done.path).read_bytes() == (student / "model.onnx").read_bytes()
    assert done.parity.agreement == 1
    assert done.parity.max_abs_error < 1e-5
    assert done.parity.quality is None
    assert done.latency_ms[0].p50 > 0


def test_a_module_of_the_users_is_copied(rows):
    (done,) = export(bundle=rows, to=["onnx"], timed=False)
    assert Path(done.path) == rows / "exports" / "model.onnx"
    assert Path(done.path).read_bytes() == (rows / "model.onnx").read_bytes()
    assert done.parity.max_abs_error == 0
    read(rows)


def test_what_cannot_be_exported(student, rows, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="'c' is planned"):
        export(bundle=student, to=["c"])
    with pytest.raises(InputError, match="lone file"):
        export(bundle=student / "model.onnx", to=["onnx"])
    with pytest.raises(InputError, match="own folder"):
        export(bundle=student, to=["onnx"], out=student)
    monkeypatch.setattr("limbeck.exporting.formats.EXPORTERS", {"onnx": "", "c": ""})
    with pytest.raises(InputError, match="c cannot be made"):
        export(bundle=rows, to=["onnx", "c"], out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_the_programs_are_refused(student, tmp_path, monkeypatch):
    def other(spec, *, inputs, outputs):
        core = build(spec, inputs=inputs, outputs=outputs)
        core.load_state_dict = lambda state: None  # keeps its own random weights
        return core

    monkeypatch.setattr("limbeck.students.build", other)
    with pytest.raises(ExportError, match="is not the student it came from"):
        export(bundle=student, to=["onnx"], out=tmp_path, timed=False)
    assert (tmp_path / "model.onnx").is_file()


def test_weights_that_do_not_fit_the_family(student, tmp_path, monkeypatch):
    monkeypatch.setattr("limbeck.students.build", lambda spec, *, inputs, outputs: nn.Linear(2, 2))
    with pytest.raises(BundleError, match="do not fit the family 'convnet'"):
        export(bundle=student, to=["onnx"], out=tmp_path)


def test_the_shape_that_the_core_eats():
    assert core_shape(configuration()) == (3, 10, 12)
    plain = {"scale": 1.0, "mean": (), "std": (), "size": None, "channels": None}
    assert core_shape(configuration(preprocess=plain)) == (1, 8, 8)


@pytest.mark.parametrize("verb", [lambda path: predict(bundle=path, inputs=["x"]), lambda path: measure(file=path)])
def test_what_is_no_student(tmp_path, verb):
    (tmp_path / "notes.txt").write_text("mine")
    for path in (tmp_path, tmp_path / "none", tmp_path / "notes.txt"):
        with pytest.raises(LimbeckError) as error:
            verb(path)
        assert error.value.exit_code == 2
