"""`limbeck distil` on what cannot work: one line with the mend, exit code 2, no traceback, and no run folder."""

import sys

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from limbeck import cli
from limbeck.runs import measured

LEAST = {
    "data": {"train": "train.npz"},
    "teacher": {"train": {"family": "wide-mlp", "width": 8, "depth": 1, "epochs": 1}},
    "student": {"family": "mlp", "width": 4, "depth": 1},
    "train": {"epochs": 1, "batch_size": 32, "evaluations": 1},
    "tune": {"trials": 0},
    "objective": {"temperature": 2},
    "verdict": {"seeds": 0},
    "runtime": {"threads": 1},
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("limbeck_models", None)


@pytest.fixture
def limbeck(capsys):
    """Runs a command in this process: exit code, standard output, standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        return left.value.code, streams.out, streams.err

    return run


def save(path, n=60, classes=3, shape=(1, 8, 8), **changes):
    draw = np.random.default_rng(0)
    arrays = {"x": draw.integers(0, 256, (n, *shape)).astype(np.uint8), "y": np.arange(n) % classes} | changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


def save_all(folder, name, **changes):
    save(folder / "train.npz")
    save(folder / f"{name}.npz", n=30, **changes)
    return {"data": {"train": "train.npz", name: f"{name}.npz"}}


def another_shape(name):
    def bad(folder):
        return save_all(folder, name, shape=(1, 9, 9)), ["1 x 9 x 9", "1 x 8 x 8"]

    bad.__name__ = f"another_shape_in_{name}"
    return bad


def colour_beside_grey(folder):
    return save_all(folder, "validation", shape=(3, 8, 8)), ["3 x 8 x 8", "1 x 8 x 8", "data.channels"]


def floats_beside_bytes(folder):
    floats = np.zeros((30, 1, 8, 8), np.float32)
    return save_all(folder, "test", x=floats), ["float32", "uint8"]


def labels_out_of_range(name):
    def bad(folder):
        return save_all(folder, name, y=np.arange(30) % 5), ["label out of range", "3 classes (0 to 2)"]

    bad.__name__ = f"labels_out_of_range_in_{name}"
    return bad


def negative_labels(folder):
    save(folder / "train.npz", y=np.arange(60) % 3 - 2)
    return {}, ["label out of range: row 0 has label -2"]


def labels_that_are_no_classes(folder):
    save(folder / "train.npz", y=np.arange(60) / 7)
    return {}, ["is not a class index"]


def one_hot_labels(folder):
    save(folder / "train.npz", y=np.eye(3)[np.arange(60) % 3])
    return {}, ["y.argmax(1)"]


def no_labels_at_all(folder):
    save(folder / "train.npz", y=None)
    return {}, ["no example has a label"]


def a_test_example_without_a_label(folder):
    return save_all(folder, "test", y=np.r_[-1, np.arange(29) % 3]), ["1 of 30 examples have no label"]


def inputs_that_are_not_finite(folder):
    x = np.zeros((60, 4), np.float32)
    x[7, 2] = np.nan
    save(folder / "train.npz", x=x)
    return {}, ["row 7 holds NaN or infinity"]


def too_few_labels(folder):
    save(folder / "train.npz", n=3)
    return {}, ["too few labelled examples to split off a test set; label more, or name one in data.test"]


def too_few_labels_that_may_be_seen(folder):
    save(folder / "train.npz", n=30)
    changes = {"train": "train.npz", "keep_labels": 0.01}
    return {"data": changes}, ["the 3 labels that may be seen are too few", "raise data.keep_labels"]


def a_class_of_the_test_folder_that_training_lacks(folder):
    for path, names in (("train", ("cat", "dog")), ("test", ("cat", "bird"))):
        for name in names:
            (folder / "pets" / path / name).mkdir(parents=True)
            for number in range(4):
                Image.new("L", (8, 8), number).save(folder / "pets" / path / name / f"{number}.png")
    return {"data": {"train": "pets"}}, ["'bird' have examples here, but training knows only 'cat', 'dog'"]


def a_picture_that_cannot_be_read(folder):
    for name in ("cat", "dog"):
        (folder / "pets" / name).mkdir(parents=True)
        for number in range(6):
            Image.new("L", (8, 8), number).save(folder / "pets" / name / f"{number}.png")
    (folder / "pets" / "dog" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    return {"data": {"train": "pets"}}, ["3.png"]


def a_truncated_archive(folder):
    save(folder / "train.npz")
    whole = (folder / "train.npz").read_bytes()
    (folder / "train.npz").write_bytes(whole[: len(whole) // 2])
    return {}, ["broken .npz"]


def a_pickled_archive(folder):
    save(folder / "train.npz", y=np.array([{"a": 1}] * 60, dtype=object))
    return {}, ["holds pickled Python objects, which are never loaded"]


def no_such_folder(name):
    def bad(folder):
        save(folder / "train.npz")
        return {"data": {"train": "train.npz", name: "nowhere"}}, ["nowhere: no such file or folder"]

    bad.__name__ = f"no_such_{name}"
    return bad


def a_size_that_arrays_cannot_have(folder):
    save(folder / "train.npz")
    return {"data": {"train": "train.npz", "size": [4, 4]}}, ["data.size and data.channels change image folders only"]


def a_convnet_on_a_table(folder):
    save(folder / "train.npz", shape=(5,))
    return {"student": {"family": "convnet"}}, ["convnet takes images", "use family: mlp"]


def a_resnet_on_a_table(folder):
    save(folder / "train.npz", shape=(5,))
    return {"teacher": {"train": {"family": "resnet"}}}, ["resnet takes images", "use family: wide-mlp"]


def flips_of_a_table(folder):
    save(folder / "train.npz", shape=(5,))
    return {"data": {"train": "train.npz", "views": {"ops": ["flip"]}}}, ["flip"]


def a_knob_out_of_range(folder):
    save(folder / "train.npz")
    return {"student": {"family": "mlp", "width": 0}}, ["width 0"]


def a_device_that_is_not_there(folder):
    save(folder / "train.npz")
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    return {"runtime": {"device": "cuda"}}, ["this machine has no CUDA device; use 'cpu' or 'auto'"]


def a_format_that_is_none(folder):
    save(folder / "train.npz")
    return {"export": ["onix"]}, ["did you mean onnx?"]


def nothing_but_zero_weights(folder):
    save(folder / "train.npz")
    return {"objective": {"temperature": 2, "weight": 0}}, ["every weight is 0"]


def all_labels_hidden(folder):
    save(folder / "train.npz")
    return {"data": {"train": "train.npz", "keep_labels": 0}}, ["data.keep_labels"]


BAD = [
    another_shape("test"), another_shape("validation"), another_shape("unlabelled"), colour_beside_grey,
    floats_beside_bytes, labels_out_of_range("test"), labels_out_of_range("validation"), negative_labels,
    labels_that_are_no_classes, one_hot_labels, no_labels_at_all, a_test_example_without_a_label,
    inputs_that_are_not_finite, too_few_labels, too_few_labels_that_may_be_seen,
    a_class_of_the_test_folder_that_training_lacks, a_picture_that_cannot_be_read, a_truncated_archive,
    a_pickled_archive, no_such_folder("train"), no_such_folder("validation"), no_such_folder("unlabelled"),
    a_size_that_arrays_cannot_have, a_convnet_on_a_table, a_resnet_on_a_table, flips_of_a_table, a_knob_out_of_range,
    a_device_that_is_not_there, a_format_that_is_none, nothing_but_zero_weights, all_labels_hidden,
]  # fmt: skip


def refused(result, *said):
    code, out, err = result
    assert (code, out) == (2, ""), err
    assert err.startswith("limbeck: ")
    assert err.count("\n") == 1
    assert len(err) < 1000
    for words in said:
        assert words in err, err


def tree(folder):
    return sorted(
        (str(path.relative_to(folder)), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts and path.name != "__pycache__"
    )


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_data_and_settings_that_cannot_work(bad, here, limbeck):
    changes, said = bad(here)
    (here / "recipe.yaml").write_text(yaml.safe_dump(LEAST | changes))
    before = tree(here)
    refused(limbeck("distil", "recipe.yaml", "--out", "runs/mine"), *said)
    assert tree(here) == before


# -- recipes that are none


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "recipe.yaml"),
        (b"just text", "expected settings"),
        (b"- a\n- list\n", "expected settings"),
        (b"\xff\xfe\x00\x00binary", "UTF-8"),
        (b"data: {train: digits}\ndata: {train: digits}\n", "data"),
        (b"a: &a [x]\nb: [*a, *a]\n", "recipe.yaml"),
        (b"data: {train: digits}\nteacher: {train: {}}\nname: ../elsewhere\n", "name"),
        (b"data: {train: digits}\nteacher: {train: {}}\ntrain: {learning_rate: .inf}\n", "train.learning_rate"),
    ],
)
def test_files_that_are_no_recipe(content, said, here, limbeck):
    (here / "recipe.yaml").write_bytes(content)
    before = tree(here)
    refused(limbeck("distil", "recipe.yaml", "--out", "run"), said)
    assert tree(here) == before


def test_a_folder_is_no_recipe(here, limbeck):
    (here / "recipe.yaml").mkdir()
    refused(limbeck("distil", "recipe.yaml", "--out", "run"), "recipe.yaml: cannot be read")


# -- models of the user's that do not fit

MODELS = """
from torch import nn

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 3)

    def forward(self, x):
        return self.layer(x.flatten(1)), x

def two():
    return Two()

def four():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4))

def none():
    return None

def needs(width):
    return four()
"""


@pytest.mark.parametrize("who", ["teacher", "student"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("two", "must give logits (rows, 3), it gave tuple"),
        ("four", "must give logits (rows, 3), it gave shape (2, 4)"),
        ("none", "the function must return a torch.nn.Module, it returned NoneType"),
        ("needs", "making it failed: TypeError: needs() missing 1 required positional argument"),
    ],
)
def test_models_that_do_not_fit(who, name, said, here, limbeck):
    save(here / "train.npz")
    (here / "limbeck_models.py").write_text(MODELS)
    key = {"teacher": "from", "student": "module"}[who]
    (here / "recipe.yaml").write_text(yaml.safe_dump(LEAST | {who: {key: f"limbeck_models:{name}"}}))
    before = tree(here)
    refused(limbeck("distil", "recipe.yaml", "--out", "run", "--trust-code"), who, said)
    refused(limbeck("distil", "recipe.yaml", "--out", "run"), "add --trust-code")
    assert tree(here) == before


# -- the run's folder


@pytest.fixture
def a_run(here, limbeck, monkeypatch):
    """A finished run in `run`, without export and report."""
    costs = measured.Costs(params=1, macs=1, size_bytes=1, peak_memory_bytes=None, latency_ms=[], note=None)
    monkeypatch.setattr("limbeck.runs.measured.costs", lambda *_: costs)
    monkeypatch.setattr("limbeck.pipeline.ship", lambda *_: [])
    monkeypatch.setattr("limbeck.pipeline.render.write", lambda _: None)
    save(here / "train.npz")
    (here / "recipe.yaml").write_text(yaml.safe_dump(LEAST))
    code, _, err = limbeck("distil", "recipe.yaml", "--out", "run")
    assert code == 0, err
    return here / "run"


def test_the_folder_of_another_recipe_or_of_other_data(a_run, here, limbeck):
    before = tree(a_run)
    for change in ("seed=1", "train.epochs=2", "student.width=5", "verdict.seeds=1", "data.keep_labels=0.9"):
        refused(
            limbeck("distil", "recipe.yaml", "--out", "run", "--set", change),
            "run holds a run of another recipe (see its recipe.yaml) or of other data; choose another --out",
        )
    save(here / "train.npz", y=np.arange(60)[::-1] % 3)
    refused(limbeck("distil", "recipe.yaml", "--out", "run"), "or of other data")
    assert tree(a_run) == before


@pytest.mark.parametrize("kind", ["file", "folder", "below a file"])
def test_a_place_that_is_something_else(kind, here, limbeck):
    save(here / "train.npz")
    (here / "recipe.yaml").write_text(yaml.safe_dump(LEAST))
    if kind == "folder":
        (here / "mine").mkdir()
        (here / "mine" / "thesis.txt").write_text("years of work")
    else:
        (here / "mine").write_text("x")
    before = tree(here)
    code, out, err = limbeck("distil", "recipe.yaml", "--out", "mine/run" if kind == "below a file" else "mine")
    assert (code, out, err.count("\n")) == (1 if kind == "below a file" else 2, "", 1)
    assert "choose another --out" in err
    assert tree(here) == before


# -- packages


@pytest.mark.parametrize("package", ["accelerate", "onnx", "onnxscript", "onnxruntime", "altair", "jinja2"])
@pytest.mark.parametrize("verb", ["distil", "check"])
def test_an_absent_package_is_named_before_anything_is_done(verb, package, here, limbeck, monkeypatch):
    """It would be needed at the very end, hours later."""
    save(here / "train.npz")
    (here / "recipe.yaml").write_text(yaml.safe_dump(LEAST))
    monkeypatch.setitem(sys.modules, package, None)
    before = tree(here)
    extra = ["--out", "run"] if verb == "distil" else []
    refused(limbeck(verb, "recipe.yaml", *extra), f"needs {package}: pip install 'limbeck'")
    assert tree(here) == before
