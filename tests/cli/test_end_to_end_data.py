"""`limbeck distil` on every kind of data, from the first line on the screen to the finished student's answer."""

import re

import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.datasets import load_wine

from limbeck import cli
from limbeck import record as records
from limbeck.runs import measured

SMALL = {
    "teacher": {"train": {"family": "wide-mlp", "width": 24, "depth": 1, "epochs": 4}},
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "train": {"epochs": 3, "batch_size": 32, "learning_rate": 0.01, "evaluations": 2},
    "tune": {"trials": 2, "finalists": 1},
    "verdict": {"seeds": 3},
    "runtime": {"threads": 1},
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def limbeck(capsys):
    """Runs a command in this process: exit code, standard output, standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        return left.value.code, streams.out, streams.err

    return run


def write(folder, **changes):
    (folder / "recipe.yaml").write_text(yaml.safe_dump(SMALL | changes))


def test_a_table_of_floats(here, limbeck):
    """scikit-learn's wines: 13 numbers of very different sizes, so nothing is learnt unless they are normalised."""
    wine = load_wine()
    np.savez(here / "wine.npz", x=wine.data, y=wine.target, classes=wine.target_names)
    write(here, data={"train": "wine.npz"}, train=SMALL["train"] | {"epochs": 12})
    code, out, err = limbeck("distil", "recipe.yaml", "--out", "run")
    assert code == 0, err
    record = records.read(here / "run")
    tells_the_story(out, err, record)
    assert record.classes == ["class_0", "class_1", "class_2"]
    assert record.data.input == "float32 array, 13"
    teacher, student, *_ = record.models
    assert teacher.quality["test"]["accuracy"].value > 0.8
    assert student.quality["test"]["accuracy"].value > 0.7
    np.save(here / "new.npy", wine.data[:5].astype(np.float32))
    code, out, _ = limbeck("predict", "run", "new.npy")
    assert code == 0
    assert len(re.findall("class_[012]", out)) == 5


COLOURS = {"blue": (40, 60, 200), "green": (50, 180, 60), "red": (200, 50, 40)}


def paint(folder, each):
    """Pictures of 16 x 16 pixels, noisy, mostly of one colour."""
    draw = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = np.clip(np.array(colour) + draw.normal(0, 60, (16, 16, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")


def test_a_folder_of_colour_pictures(here, limbeck):
    paint(here / "photos" / "train", 24)
    paint(here / "photos" / "test", 8)
    write(
        here,
        data={"train": "photos", "views": {"ops": ["flip", {"op": "shift", "pixels": 1}]}},
        teacher={"train": {"family": "resnet", "width": 4, "depth": 1, "epochs": 2}},
        student={"family": "convnet", "width": 4, "depth": 2},
        train=SMALL["train"] | {"epochs": 6},
    )
    code, _, err = limbeck("distil", "recipe.yaml", "--out", "run")
    assert code == 0, err
    record = records.read(here / "run")
    assert record.classes == ["blue", "green", "red"]
    assert record.data.input == "uint8 image, 3 x 16 x 16"
    assert record.data.test == 24
    assert set(record.files) == {"test", "samples"}
    code, out, err = limbeck("predict", "run", "photos/test/red/0.png", "--json")
    assert code == 0, err
    assert yaml.safe_load(out)[0]["label"] in COLOURS


@pytest.mark.fashion
@pytest.mark.slow
def test_an_idx_folder(here, limbeck):
    """Fashion-MNIST as Debian packs it, one short epoch: that it runs."""
    write(
        here,
        data={"train": "/usr/share/datasets/fashion-mnist", "keep_labels": 0.1},
        teacher={"train": {"family": "wide-mlp", "width": 32, "depth": 1, "epochs": 1, "labels": "kept"}},
        train={"epochs": 1, "batch_size": 2048, "learning_rate": 0.01, "evaluations": 1},
        tune={"trials": 0},
        objective={"temperature": 2},
        verdict={"seeds": 1},
    )
    code, out, err = limbeck("distil", "recipe.yaml", "--out", "run")
    assert code == 0, err
    record = records.read(here / "run")
    assert (record.data.test, len(record.classes)) == (10_000, 10)
    assert record.data.input == "uint8 image, 1 x 28 x 28"
    assert record.models[1].quality["test"]["accuracy"].value > 0.25
    assert "inconclusive" in out.lower()  # one seed proves nothing


STORY = [
    r"recipe: \d+ labelled and 0 unlabelled examples to learn from, \d+ to choose on, \d+ to test on",
    r"teacher: wide-mlp, 4 epochs on \d+ labels",
    r"teacher: \d+\.\d% accuracy on validation",
    r"For the student, validation chose .*",
    r"For the baseline, validation chose .*",
    r"For the teacher's-labels arm, validation chose .*",
    r"students: student, baseline and teacher-labels, each with 3 seeds and \d+ steps",
    r"measuring quality, calibration, size and speed",
    r"exporting onnx, and comparing with the student",
    r"writing the report",
    r"done: teacher \d+\.\d s, .*report \d+\.\d s",
]


def tells_the_story(out, err, record):
    """What a new user reads: what is done on the way, and at the end the verdict and what to type next."""
    told = iter(err.splitlines())
    for expected in STORY:
        assert any(re.fullmatch(expected, line) for line in told), expected
    said = out.splitlines()
    assert said[0] == record.verdict.sentence
    assert said[1] == record.comparisons[0].sentence
    assert said[-2:] == [
        "report   run/report.html  limbeck report run --open",
        "student  run/student      limbeck predict run FILE",
    ]


@pytest.fixture
def quick(monkeypatch):
    """Without export, report and stop-watch."""
    costs = measured.Costs(params=1, macs=1, size_bytes=1, peak_memory_bytes=None, latency_ms=[], note=None)
    monkeypatch.setattr("limbeck.runs.measured.costs", lambda *_: costs)
    monkeypatch.setattr("limbeck.pipeline.ship", lambda *_: [])
    monkeypatch.setattr("limbeck.pipeline.render.write", lambda _: None)


def test_a_second_call_says_that_it_goes_on(here, limbeck, quick):
    values = {
        "data": {"train": "digits"},
        "tune": {"trials": 0},
        "objective": {"temperature": 2},
        "verdict": {"seeds": 0},
    }
    write(here, **values, train=SMALL["train"] | {"epochs": 1, "batch_size": 128})
    assert limbeck("distil", "recipe.yaml", "--out", "run")[0] == 0
    code, out, err = limbeck("distil", "recipe.yaml", "--out", "run")
    assert code == 0
    assert "going on in run, where 2 trainings are finished" in err
    assert out.startswith("No verdict was asked for (verdict.seeds: 0).")


# -- a teacher that is not good enough


def test_a_teacher_below_min_quality_stops_the_run_and_is_kept(here, limbeck, quick):
    """Exit code 1, what to do, and what it says works: the same command with a lower minimum trains no teacher."""
    write(here, data={"train": "digits"}, tune={"trials": 0}, objective={"temperature": 2}, verdict={"seeds": 0})
    strict = ["distil", "recipe.yaml", "--out", "run", "--set", "teacher.min_quality=0.999"]
    code, out, err = limbeck(*strict)
    assert (code, out) == (1, "")
    said = err.rstrip().splitlines()[-1]
    assert said.startswith("limbeck: the teacher reaches accuracy 0.")
    assert (
        "not the 0.999 of teacher.min_quality; lower that and run the same command again (the teacher is kept)" in said
    )
    assert "choose another --out" in said
    assert not (here / "run" / "teacher").exists()  # only one that is good enough is handed on
    trained = {path: path.stat().st_mtime_ns for path in here.glob("run/checkpoints/*/*")}
    assert trained
    assert limbeck(*strict)[0] == 1
    code, _, err = limbeck("distil", "recipe.yaml", "--out", "run", "--set", "teacher.min_quality=0.1")
    assert code == 0, err
    assert {path: path.stat().st_mtime_ns for path in trained if path.name != "timing.json"} == {
        path: time for path, time in trained.items() if path.name != "timing.json"
    }
    assert (here / "run" / "teacher" / "config.json").exists()
    code, _, err = limbeck("distil", "recipe.yaml", "--out", "run", "--set", "teacher.train.epochs=5")
    assert code == 2
    assert "of another recipe" in err
