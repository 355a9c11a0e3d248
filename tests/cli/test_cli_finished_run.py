"""One small run through the command line, and every command that reads it."""

import json
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from limbeck import cli

RECIPE = {
    "data": {"train": "digits", "keep_labels": 0.2},
    "teacher": {"train": {"width": 8, "depth": 1, "epochs": 1}},
    "student": {"width": 4, "depth": 1},
    "train": {"epochs": 1, "batch_size": 256, "evaluations": 1},
    "tune": {"trials": 0},
    "verdict": {"seeds": 0},
}


def command(*arguments):
    with pytest.raises(SystemExit) as left:
        cli.main([str(argument) for argument in arguments])
    return left.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    assert command("distil", folder / "recipe.yaml", "--out", folder / "run") == 0
    return folder


@pytest.fixture
def limbeck(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)

    def run(*arguments):
        code = command(*arguments)
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return run


def test_the_same_command_again_says_the_same(limbeck):
    code, out, err = limbeck("distil", "recipe.yaml", "--out", "run")
    assert code == 0
    assert "No verdict was asked for" in out
    assert "run/report.html" in out
    assert "teacher" in err


@pytest.mark.parametrize("change", ["seed=1", "train.epochs=2", "student.width=5", "name=other"])
def test_the_folder_of_another_recipe_is_left_alone(change, folder, limbeck):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, out, err = limbeck("distil", "recipe.yaml", "--out", "run", "--set", change)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "another recipe" in err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_saved_recipe_is_the_whole_recipe(folder, limbeck):
    values = yaml.safe_load((folder / "run" / "recipe.yaml").read_text())
    assert values["train"]["learning_rate"] == 0.003
    assert values["runtime"]["threads"] >= 1
    code, out, _ = limbeck("check", "run/recipe.yaml", "--json")
    assert code == 0
    assert json.loads(out)["name"] == "recipe"


def test_measure(limbeck):
    code, out, err = limbeck("measure", "run", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["latency_ms"]["threads"] == 1
    code, out, _ = limbeck("measure", "run/student/model.onnx", "--batch", "2")
    assert code == 0
    assert "batch 2" in out


def test_predict(folder, limbeck):
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(folder / "zero.png")
    code, out, err = limbeck("predict", "run", "zero.png", "--json")
    assert (code, err) == (0, "")
    (answer,) = json.loads(out)
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    code, out, _ = limbeck("predict", "run/student", "zero.png", "zero.png", "--out", "answers.csv")
    assert code == 0
    assert out.splitlines()[0].split() == ["file", "label", "probability", "note"]
    assert len((folder / "answers.csv").read_text().splitlines()) == 3


def test_export(folder, limbeck):
    code, out, err = limbeck("export", "run/student", "--to", "onnx", "--out", "more", "--json")
    assert code == 0
    (found,) = json.loads(out)
    assert found["format"] == "onnx"
    assert (folder / "more" / "model.onnx").is_file()
    assert "Traceback" not in err


def test_report(folder, limbeck, monkeypatch):
    code, out, err = limbeck("report", "run")
    assert (code, err) == (0, "")
    assert out == "run/report.html\n"
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert limbeck("report", "run", "--open")[0] == 0
    assert opened == [(folder / "run" / "report.html").as_uri()]


def test_a_student_that_was_changed_is_refused(folder, limbeck):
    (folder / "broken.onnx").write_bytes((folder / "run" / "student" / "model.onnx").read_bytes()[:-50])
    for arguments in (["measure", "broken.onnx"], ["predict", "broken.onnx", "zero.png"]):
        code, out, err = limbeck(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "broken.onnx" in err


def test_a_missing_package_is_named_before_anything_is_written(folder, limbeck, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    code, out, err = limbeck("distil", "recipe.yaml", "--out", "never")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "pip install 'limbeck'" in err
    assert not (folder / "never").exists()
