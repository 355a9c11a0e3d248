"""`open_source`: everything that is data, under one contract; and what is not, with its mend."""

import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from limbeck.data.open import checked, open_source
from limbeck.errors import DataError, InputError
from limbeck.task import Multiclass

IMAGES = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(6, 4, 4)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def test_digits_are_whole_disjoint_and_scaled():
    from sklearn.datasets import load_digits

    train, test = (open_source("digits", split=split) for split in ("train", "test"))
    assert len(train) + len(test) == 1797
    assert not set(train.ids.tolist()) & set(test.ids.tolist())
    assert tuple(train.classes) == tuple("0123456789")
    assert (np.bincount(test.labels) >= 35).all()
    pixels = np.concatenate([source.read(np.arange(len(source))) for source in (train, test)])
    assert pixels.shape == (1797, 1, 8, 8)
    ours = sorted(row.tobytes() for row in pixels)
    theirs = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    assert ours == sorted(row.tobytes() for row in theirs)
    assert open_source("digits", split="train").fingerprint() == train.fingerprint() != test.fingerprint()


def test_digits_have_no_validation_of_their_own():
    with pytest.raises(DataError, match=r"leave data\.validation out"):
        open_source("digits", split="validation")


@pytest.mark.parametrize(
    ("inputs", "spec"),
    [
        (IMAGES, "uint8 image, 1 x 4 x 4"),
        (IMAGES[:, None], "uint8 image, 1 x 4 x 4"),
        (np.zeros((6, 5, 4, 3), np.uint8), "uint8 image, 3 x 5 x 4"),
        (np.zeros((6, 4, 8, 9), np.uint8), "uint8 image, 4 x 8 x 9"),
        (torch.zeros(6, 3, 8, 9, dtype=torch.uint8), "uint8 image, 3 x 8 x 9"),
        (np.zeros((6, 3, 8, 9)), "float32 array, 3 x 8 x 9"),
        (torch.zeros(6, 7, dtype=torch.bfloat16), "float32 array, 7"),
        (torch.zeros(6, 7, requires_grad=True), "float32 array, 7"),
        (np.zeros(6), "float32 array, 1"),
        (np.zeros((6, 7), np.uint8), "float32 array, 7"),
        (np.zeros((6, 7), bool), "float32 array, 7"),
    ],
)
def test_arrays_of_every_layout(inputs, spec):
    source = open_source((inputs, LABELS), split="train")
    assert str(source.spec) == spec
    rows = source.read(np.array([5, 0, 0]))
    assert rows.shape == (3, *source.spec.shape)
    assert rows.dtype == source.spec.dtype
    assert rows.flags.c_contiguous


def test_channels_last_is_turned():
    inputs = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
    source = open_source((inputs, LABELS), split="train")
    assert np.array_equal(source.read(np.arange(6)), inputs.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (LABELS.astype(np.uint8), [0, 1, 2, 0, 1, 2]),
        (torch.from_numpy(LABELS), [0, 1, 2, 0, 1, 2]),
        (LABELS[:, None], [0, 1, 2, 0, 1, 2]),
        (np.array([0, 1, np.nan, -1, 1, 2.0]), [0, 1, -1, -1, 1, 2]),
        (np.array([True, False] * 3), [1, 0, 1, 0, 1, 0]),
        (None, [-1] * 6),
        (np.array(["b", "a", "", "b", "a", "c"]), [1, 0, -1, 1, 0, 2]),
        (np.array(["b", "a", None, "b", float("nan"), "c"], dtype=object), [1, 0, -1, 1, -1, 2]),
    ],
)
def test_labels_of_every_kind(labels, expected):
    source = open_source((IMAGES, labels), split="train")
    assert source.labels.tolist() == expected
    assert source.labels.dtype == np.int32


@pytest.mark.parametrize(
    ("inputs", "labels", "named"),
    [
        (IMAGES, LABELS[:5], "6 inputs but 5 labels"),
        (IMAGES, LABELS + 0.5, r"label 0\.5 of row 0"),
        (IMAGES, np.array([0, 1, 2, np.inf, 0, 0]), "label inf of row 3"),
        (IMAGES, np.eye(6), "one-hot"),
        (IMAGES, LABELS.astype(complex), "complex"),
        (IMAGES, np.array(["a", 1, "b", "a", "b", "a"], dtype=object), "all as text or all as numbers"),
        (IMAGES, LABELS + 10**6, "looks like a key"),
        (IMAGES, LABELS.astype(np.int64) + 2**40, "not a class index"),
        (np.zeros((6, 5, 6, 7), np.uint8), LABELS, "1, 3 or 4 channels"),
        (np.array(["x"] * 6), LABELS, "give numbers"),
        (np.array(3.0), None, "one row an example"),
        (np.array([[0.0], [np.nan]]), None, "row 1 holds NaN or infinity"),
        (np.array([[0.0], [1e39]]), None, "row 1 holds NaN or infinity"),
        (IMAGES[:0], LABELS[:0], "no examples"),
    ],
)
def test_arrays_that_cannot_be_read_say_why(inputs, labels, named):
    with pytest.raises(DataError, match=named):
        open_source((inputs, labels), split="train")


def test_unsigned_label_limits_and_task():
    source = open_source((IMAGES, np.array([0, 1, 2, 3, 0, 1], np.uint64)), split="train", classes=["a", "b", "c"])
    with pytest.raises(DataError, match="row 3 has label 3, but there are 3 classes"):
        checked(source, Multiclass())
    fine = open_source((IMAGES, LABELS), split="train")
    assert checked(fine, Multiclass()) is fine


def test_a_label_below_unknown_is_left_to_the_task():
    with pytest.raises(DataError, match="label -2"):
        checked(open_source((IMAGES, LABELS - 2), split="train", classes=["a"]), Multiclass())


def test_splits_never_share_ids():
    sources = [open_source((IMAGES, LABELS), split=split) for split in ("train", "test", "validation", "unlabelled")]
    ids = np.concatenate([source.ids for source in sources])
    assert len(np.unique(ids)) == 4 * 6


def test_ids_depend_on_name_split_and_row_alone():
    one = open_source((IMAGES, LABELS), split="train", name="a")
    other = open_source((IMAGES[:3] // 2, None), split="train", name="a")
    assert np.array_equal(one.ids[:3], other.ids)
    assert not set(one.ids.tolist()) & set(open_source(IMAGES, split="train", name="b").ids.tolist())


def test_fingerprints_tell_contents_labels_names_and_classes_apart():
    sources = [
        open_source((IMAGES, LABELS), split="train"),
        open_source((IMAGES + 1, LABELS), split="train"),
        open_source((IMAGES, LABELS[::-1]), split="train"),
        open_source((IMAGES, LABELS), split="train", name="other"),
        open_source((IMAGES, LABELS), split="train", classes=["a", "b", "c"]),
        open_source((IMAGES.astype(np.float32), LABELS), split="train"),
        open_source((IMAGES.reshape(6, 2, 8), LABELS), split="train"),
    ]
    assert len({source.fingerprint() for source in sources}) == len(sources)
    assert open_source((IMAGES.copy(), LABELS.copy()), split="train").fingerprint() == sources[0].fingerprint()


def test_unlabelled_data_lose_their_labels():
    source = open_source((IMAGES, LABELS), split="unlabelled", classes=["a", "b", "c"])
    assert (source.labels == -1).all()
    assert tuple(source.classes) == ("a", "b", "c")


@pytest.mark.parametrize("split", ["test", "validation"])
def test_what_quality_is_measured_on_must_be_labelled(split):
    with pytest.raises(DataError, match=r"1 of 6 examples have no label \(first: row 2\)"):
        open_source((IMAGES, np.where(np.arange(6) == 2, -1, LABELS)), split=split)


def test_names_of_text_labels_are_mapped_onto_trainings():
    train = open_source((IMAGES, np.array(["cat", "dog", "emu"] * 2)), split="train")
    test = open_source((IMAGES, np.array(["emu", "dog"] * 3)), split="test", classes=train.classes)
    assert test.labels.tolist() == [2, 1] * 3
    with pytest.raises(DataError, match="cannot be mapped: 'yak'"):
        open_source((IMAGES, np.array(["yak", "dog"] * 3)), split="test", classes=train.classes)


def test_a_class_named_twice_is_refused():
    with pytest.raises(DataError, match="'a' is named twice"):
        open_source((IMAGES, LABELS), split="train", classes=["a", "b", "a"])


def test_data_that_name_a_class_twice_are_refused(tmp_path):
    np.savez(tmp_path / "mine.npz", x=IMAGES, y=LABELS, classes=np.array(["a", "a", "b"]))
    with pytest.raises(DataError, match="mine/train: class 'a' is named twice"):
        open_source(tmp_path / "mine.npz", split="train")


def test_a_folder_may_be_called_digits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        open_source("./digits", split="train")
    with pytest.raises(DataError, match="no such file or folder"):
        open_source(Path("digits"), split="train")


@pytest.mark.parametrize("wish", [{"channels": 2}, {"size": (0, 8)}])
def test_sizes_out_of_range_are_refused(wish):
    with pytest.raises(InputError, match="channels 1 or 3"):
        open_source("digits", split="train", **wish)


def test_opening_data_imports_no_torch(tmp_path):
    np.savez(tmp_path / "mine.npz", x=IMAGES, y=LABELS)
    program = (
        "import sys\n"
        "from limbeck.data.open import open_source\n"
        "from limbeck.data.split import stratified\n"
        "source = open_source(sys.argv[1], split='train')\n"
        "source.read(stratified(source.labels, 0.5, 0)[0]), source.fingerprint()\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, tmp_path / "mine.npz"], check=False).returncode == 0


def test_an_unknown_split_is_refused():
    with pytest.raises(InputError, match="train, test, validation, unlabelled"):
        open_source("digits", split="dev")


def test_size_and_channels_are_for_folders():
    assert open_source("digits", split="train", size=(8, 8), channels=1).spec.shape == (1, 8, 8)
    for wish in ({"size": (16, 16)}, {"channels": 3}):
        with pytest.raises(DataError, match="image folders only"):
            open_source("digits", split="train", **wish)


def test_a_path_with_nothing_there_says_what_was_looked_for(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"looked for 'digits', an IDX folder.*did you mean .*photos\?"):
        open_source(tmp_path / "photo", split="train")


def test_files_of_other_kinds_are_refused(tmp_path):
    (tmp_path / "table.xlsx").write_text("a,b\n")
    with pytest.raises(DataError, match="of a kind that is not read"):
        open_source(tmp_path / "table.xlsx", split="train")


@pytest.mark.parametrize("given", [OrderedDict(x=1), 3, None, object()])
def test_things_that_are_no_data_are_refused(given):
    with pytest.raises(DataError, match="cannot be opened"):
        open_source(given, split="train")


class Foreign:
    """A source by somebody else."""

    def __init__(self, *, drifts=False, twins=False):
        inner = open_source((IMAGES, LABELS), split="train", name="foreign")
        self.name, self.spec, self.classes, self.labels = inner.name, inner.spec, inner.classes, inner.labels
        self.ids = np.zeros(6, np.int64) if twins else inner.ids
        self.inner, self.drifts, self.reads = inner, drifts, 0

    def __len__(self):
        return 6

    def read(self, rows):
        self.reads += 1
        return self.inner.read(rows) + (self.reads if self.drifts else 0)

    def fingerprint(self):
        return "0" * 64


def test_a_source_is_taken_as_it_is_once_its_promises_hold():
    source = Foreign()
    assert open_source(source, split="train") is source
    mapped = open_source(source, split="test", classes=["2", "1", "0"])
    assert mapped.labels.tolist() == [2, 1, 0, 2, 1, 0]
    with pytest.raises(DataError, match="move augmentation into views"):
        open_source(Foreign(drifts=True), split="train")
    with pytest.raises(DataError, match="same id"):
        open_source(Foreign(twins=True), split="train")
