"""The command line: exit codes, one-line errors, pure JSON, nothing written by mistake."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import yaml

import limbeck as lk
from limbeck import cli
from limbeck.cli import app as commands
from limbeck.cli.app import usage_error
from limbeck.cli.shown import size, table

LEAST = {
    "data": {"train": "digits"},
    "teacher": {"train": {"width": 4, "depth": 1, "epochs": 1}},
    "student": {"width": 4},
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


def write(path, values):
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values), encoding="utf-8")
    return path


def tree(folder):
    return sorted((str(path.relative_to(folder)), path.stat().st_mtime_ns) for path in folder.rglob("*"))


# -- what is wrong is said in one line, with exit code 2, and nothing is written


def image_arrays(n=40, side=8, classes=4):
    labels = np.arange(n) % classes
    return {"x": np.zeros((n, 1, side, side), dtype=np.uint8), "y": labels}


def with_npz(folder, **changes):
    np.savez(folder / "train.npz", **(image_arrays() | changes))
    return {**LEAST, "data": {"train": "train.npz"}}


def missing_file(folder):
    return None, "there is no such file; `limbeck init --data DATA --out recipe.yaml` writes one"


def broken_yaml(folder):
    return "data: {train: digits", "recipe.yaml:1:21: broken YAML"


def a_yaml_tag(folder):
    return (
        "data: !!python/object/apply:os.system ['touch owned']",
        "the tag !!python/object/apply:os.system is not allowed",
    )


def unknown_key(folder):
    return {**LEAST, "trian": {"epochs": 1}}, "trian: unknown key; did you mean train?"


def wrong_type(folder):
    return {**LEAST, "train": {"epochs": "five"}}, "train.epochs: got 'five' (text), expected a whole number"


def several_problems(folder):
    return {**LEAST, "train": {"epochs": "five"}, "seed": -1}, "2 problems: (1)"


def trust_in_the_file(folder):
    return {**LEAST, "trust_code": True}, "pass --trust-code"


def missing_data(folder):
    return {**LEAST, "data": {"train": "photos"}}, "photos: no such file or folder"


def missing_test_data(folder):
    return {**LEAST, "data": {"train": "digits", "test": "nothing.npz"}}, "nothing.npz: no such file or folder"


def an_empty_folder(folder):
    (folder / "photos").mkdir()
    return {**LEAST, "data": {"train": "photos"}}, "photos"


def label_out_of_range(folder):
    values = with_npz(folder, y=np.arange(40) % 4 + 96)
    return {**values, "data": {**values["data"], "classes": ["a", "b", "c", "d"]}}, "9"


def another_shape_in_test(folder):
    np.savez(folder / "test.npz", **image_arrays(side=12))
    values = with_npz(folder)
    return {**values, "data": {"train": "train.npz", "test": "test.npz"}}, "12"


def another_number_of_labels(folder):
    return with_npz(folder, y=np.arange(39) % 4), "39"


def code_without_trust(folder):
    return {**LEAST, "teacher": {"from": "my_models:teacher"}}, "add --trust-code"


def given_without_python(folder):
    return {**LEAST, "teacher": "given"}, "none was given"


def objective_of_another_task(folder):
    return {**LEAST, "objective": "no-such-method"}, "there is no 'no-such-method'"


def a_device_that_is_none(folder):
    return {**LEAST, "device": "thermostta"}, "did you mean thermostat?"


BAD_RECIPES = [
    missing_file, broken_yaml, a_yaml_tag, unknown_key, wrong_type, several_problems, trust_in_the_file, missing_data,
    missing_test_data, an_empty_folder, label_out_of_range, another_shape_in_test, another_number_of_labels,
    code_without_trust, given_without_python, objective_of_another_task, a_device_that_is_none,
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_RECIPES, ids=lambda bad: bad.__name__)
@pytest.mark.parametrize("verb", ["check", "distil"])
def test_a_bad_recipe_costs_one_line_and_nothing_else(verb, bad, here, limbeck):
    values, said = bad(here)
    if values is not None:
        write(here / "recipe.yaml", values)
    before = tree(here)
    extra = ["--out", "run"] if verb == "distil" else []
    code, out, err = limbeck(verb, "recipe.yaml", *extra)
    assert (code, out) == (2, "")
    assert err.startswith("limbeck: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert said in err
    assert tree(here) == before


MODELS = """
from torch import nn

def make(outputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, outputs))

def ten():
    return make(10)

def seven():
    return make(7)

def wide():
    return nn.Sequential(nn.Flatten(), nn.Linear(100, 10))

def no_module():
    return "teacher"
"""

NAMES = [str(digit) for digit in range(10)]


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        ({"from": "limbeck_test_models:seven"}, "(2, 7)"),
        ({"from": "limbeck_test_models:wide"}, "teacher"),
        ({"from": "limbeck_test_models:no_module"}, "teacher"),
        ({"from": "limbeck_test_models:nobody"}, "has no 'nobody'"),
        ({"from": "limbeck_test_nothing:ten"}, "cannot import 'limbeck_test_nothing'"),
        ({"from": "limbeck_test_models:ten", "weights": "none.safetensors"}, "none.safetensors"),
        ({"from": "limbeck_test_models:ten", "classes": [*NAMES[:9], "x"]}, "9"),
        ({"from": "limbeck_test_models:ten", "classes": NAMES[:9]}, "9"),
    ],
)
def test_a_teacher_that_does_not_fit_costs_one_line(teacher, said, here, limbeck):
    (here / "limbeck_test_models.py").write_text(MODELS)
    write(here / "recipe.yaml", {**LEAST, "teacher": teacher})
    limbeck("check", "recipe.yaml", "--trust-code")
    before = [entry for entry in tree(here) if "__pycache__" not in entry[0]]
    code, out, err = limbeck("distil", "recipe.yaml", "--trust-code", "--out", "run")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert [entry for entry in tree(here) if "__pycache__" not in entry[0]] == before


@pytest.fixture(autouse=True)
def forget_test_models(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("limbeck_test_models", None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chekc"], "No such command 'chekc'"),
        (["check"], "Missing argument"),
        (["check", "r.yaml", "--loud"], "No such option"),
        (["check", "r.yaml", "--set", "train.epochs"], "--set train.epochs: expected key=value"),
        (["check", "r.yaml", "--set", "=5"], "expected key=value"),
        (["check", "r.yaml", "--set", "a=1", "--set", "a=2"], "--set a is given twice"),
        (["check", "r.yaml", "--set", "a=[1"], "--set a:1:3: broken YAML"),
        (["check", "r.yaml", "--set", "a=!!python/name:os.system"], "the tag"),
        (["measure", "nothing.onnx"], "nothing.onnx"),
        (["measure", "nothing.onnx", "--batch", "0"], "at least 1"),
        (["measure", "x", "--threads", "many"], "--threads"),
        (["predict", "nothing", "picture.png"], "nothing"),
        (["predict", "nothing"], "Missing argument"),
        (["export", "nothing", "--to", "onnx"], "nothing"),
        (["export", "nothing", "--to", ","], "no format is named"),
        (["export", "nothing", "--to", "executorch"], "planned, but not built yet"),
        (["report", "nothing"], "nothing"),
        (["init", "--data", "nothing", "--out", "r.yaml"], "nothing: no such file or folder"),
        (["init", "--out", "r.yaml"], "Missing option"),
        (["demo"], "Missing option"),
        (["distil", "r.yaml", "--seeds", "few"], "--seeds"),
    ],
)
def test_a_bad_command_costs_one_line_and_nothing_else(arguments, said, here, limbeck):
    code, out, err = limbeck(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("limbeck: ")
    assert said in err
    assert tree(here) == []


def test_init_does_not_overwrite(here, limbeck):
    write(here / "r.yaml", "mine")
    code, _, err = limbeck("init", "--data", "digits", "--out", "r.yaml")
    assert code == 2
    assert "is not overwritten" in err
    assert (here / "r.yaml").read_text() == "mine"


def test_an_existing_folder_of_something_else_is_left_alone(here, limbeck):
    write(here / "recipe.yaml", LEAST)
    (here / "run").mkdir()
    write(here / "run" / "thesis.txt", "mine")
    before = tree(here)
    code, _, err = limbeck("distil", "recipe.yaml", "--out", "run")
    assert (code, err.count("\n")) == (2, 1)
    assert "choose another --out" in err
    assert tree(here) == before


def test_an_absent_package_is_answered_with_the_line_that_installs_it(here, limbeck, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (here / "x.onnx").write_bytes(b"x")
    code, _, err = limbeck("measure", "x.onnx")
    assert (code, err.count("\n")) == (2, 1)
    assert "pip install 'limbeck" in err


# -- exit codes 1 and 130


def raising(error):
    def verb(**_):
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OSError(28, "No space left on device", "runs/x"), 1, "limbeck: no space left for runs/x"),
        (OSError(5, "Input/output error", "runs/x"), 1, "limbeck: runs/x: Input/output error; mend that"),
        (PermissionError(13, "Permission denied"), 1, "limbeck: Permission denied; mend that"),
        (ConnectionError("no route\nto host"), 1, "limbeck: no route to host; mend that"),
        (KeyboardInterrupt(), 130, "limbeck: interrupted; run the same command to go on"),
    ],
)
def test_a_full_disk_and_a_broken_off_command(error, code, said, limbeck, monkeypatch):
    monkeypatch.setattr("limbeck.verbs.devices.devices", raising(error))
    found, out, err = limbeck("devices")
    assert (found, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_a_full_disk_under_init_leaves_nothing_behind(here, limbeck, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = limbeck("init", "--data", "digits", "--out", "r.yaml")
    assert (code, err.count("\n")) == (1, 1)
    assert "no space left for r.yaml: free some and run the same command again" in err
    assert tree(here) == []


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("limbeck.verbs.devices.devices", raising(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError):
        cli.main(["devices"])


def test_debug_shows_the_traceback_and_keeps_the_exit_code(here, limbeck):
    for arguments in (["--debug", "check", "r.yaml"], ["check", "r.yaml", "--debug"]):
        code, _, err = limbeck(*arguments)
        assert code == 2
        assert "Traceback" in err
        assert err.rstrip().splitlines()[-1].startswith("limbeck: r.yaml")


def test_only_mistakes_on_the_command_line_are_called_so():
    assert usage_error(ZeroDivisionError()) is None
    assert usage_error(commands.typer.Abort()) == ""
    assert usage_error(commands.typer.BadParameter("no")) == "Invalid value: no"


def test_a_reader_that_leaves_is_no_error():
    command = f"{sys.executable} -m limbeck devices --json | true; test ${{PIPESTATUS[0]}} = 0"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# -- what is right


def test_nothing_at_all_shows_the_help(limbeck):
    code, out, _ = limbeck()
    assert code == 0
    assert out.startswith("Usage: limbeck")


def test_version(limbeck):
    assert limbeck("--version")[:2] == (0, "limbeck 0.1.0\n")


def test_init_then_check(here, limbeck):
    code, out, err = limbeck("init", "--data", "digits", "--out", "recipe.yaml")
    assert (code, err) == (0, "")
    assert "Next: limbeck check recipe.yaml" in out
    before = tree(here)
    code, out, err = limbeck("check", "recipe.yaml", "--set", "student.width=4", "--set", "teacher.train.width=4")
    assert (code, err) == (0, "")
    assert "labelled and 0 unlabelled examples to learn from" in out
    code, out, err = limbeck("check", "recipe.yaml", "--json", "--set", "device={size_kb: 1}")
    assert (code, err) == (2, "")
    assert "size_kb" in json.loads(out)["exceeds"][0]
    assert tree(here) == before


@pytest.mark.parametrize("verb", ["methods", "devices"])
def test_facts_for_people_and_for_scripts(verb, limbeck):
    code, out, err = limbeck(verb, "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert len(rows) > 2
    code, out, _ = limbeck(verb)
    assert code == 0
    assert all(row["name"] in out for row in rows)


def test_methods_are_a_line_each_and_cards_where_asked_for(limbeck):
    brief, full = limbeck("methods")[1].splitlines(), limbeck("methods", "--full")[1]
    for card in lk.methods():
        (line,) = [line for line in brief if line.split()[:1] == [card.name]]
        assert line.endswith(card.summary)
        assert card.hurts in full
        assert card.hurts not in "\n".join(brief)


def test_one_method_in_full(limbeck):
    code, out, err = limbeck("methods", "hint")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "hint"
    assert "objective: {method: hint, student: layer2, teacher: blocks.3}" in out
    code, out, _ = limbeck("methods", "hint", "--json")
    assert json.loads(out)["card"]["name"] == "hint"
    code, out, err = limbeck("methods", "hnit")
    assert (code, out) == (2, "")
    assert "did you mean hint?" in err


def test_distill_is_accepted_and_not_advertised(here, limbeck):
    assert not re.search(r"\bdistill\b", limbeck("--help")[1]), "distillation is a word, distill a verb"
    code, _, err = limbeck("distill", "recipe.yaml", "--out", "run")
    assert code == 2
    assert "recipe.yaml: there is no such file" in err


def test_tables_and_sizes():
    assert table([["a", "bb"], ["ccc", "d"]]) == ["a    bb", "ccc  d"]
    assert [size(count) for count in (None, 0, 1023, 1024, 1 << 20)] == ["unknown", "0 B", "1023 B", "1.0 KB", "1.0 MB"]
