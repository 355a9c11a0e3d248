"""Map-style PyTorch data sets: read once into a spool, with their labels; what is none is refused with a reason."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from limbeck.data.open import open_source
from limbeck.errors import DataError


class Items(Dataset):
    """A data set of whatever `make` gives for a row."""

    def __init__(self, make, n=6):
        self.make, self.n = make, n

    def __len__(self):
        return self.n

    def __getitem__(self, row):
        return self.make(row)


def grey(row):
    return np.full((4, 5), row, np.uint8)


@pytest.mark.parametrize(
    ("make", "spec"),
    [
        (lambda row: (grey(row), row % 2), "uint8 image, 1 x 4 x 5"),
        (lambda row: (torch.from_numpy(grey(row))[None], torch.tensor(row % 2)), "uint8 image, 1 x 4 x 5"),
        (lambda row: (torch.full((3, 4, 5), float(row)), float(row % 2)), "float32 array, 3 x 4 x 5"),
        (lambda row: (np.full(7, row, np.float64), np.int64(row % 2)), "float32 array, 7"),
        (lambda row: (Image.fromarray(grey(row)), row % 2), "uint8 image, 1 x 4 x 5"),
        (lambda row: (Image.fromarray(grey(row)).convert("RGB"), torch.tensor([row % 2])), "uint8 image, 3 x 4 x 5"),
        (lambda row: [np.full((6, 5, 3), row, np.uint8), row % 2], "uint8 image, 3 x 6 x 5"),
    ],
)
def test_items_of_every_kind(make, spec):
    source = open_source(Items(make), split="train")
    assert str(source.spec) == spec
    assert source.labels.tolist() == [0, 1] * 3
    rows = source.read(np.array([5, 2]))
    assert (rows[0] == 5).all()
    assert (rows[1] == 2).all()


def test_items_without_labels():
    for make in (grey, lambda row: (grey(row),), lambda row: (grey(row), None), lambda row: (grey(row), float("nan"))):
        assert (open_source(Items(make), split="train").labels == -1).all()


def test_a_list_of_pairs_is_a_data_set():
    source = open_source([(grey(row), row) for row in range(3)], split="train", name="pairs")
    assert source.labels.tolist() == [0, 1, 2]
    assert source.name == "pairs/train"


def test_of_a_loader_only_the_data_set_is_used():
    data = TensorDataset(torch.arange(24, dtype=torch.float32).view(6, 4), torch.tensor([0, 1] * 3))
    loader = DataLoader(data, batch_size=4, shuffle=True, drop_last=True)
    one, other = open_source(loader, split="train"), open_source(data, split="train")
    assert len(one) == 6
    assert one.fingerprint() == other.fingerprint()


def test_class_names_come_along_through_a_subset():
    data = Items(lambda row: (grey(row), row % 2))
    data.classes = ["cat", "dog"]
    source = open_source(Subset(data, [0, 1, 3]), split="train")
    assert tuple(source.classes) == ("cat", "dog")
    assert open_source(data, split="test", classes=["dog", "cat"]).labels.tolist() == [1, 0] * 3


def test_it_is_read_once_and_a_few_rows_again():
    reads = []

    def make(row):
        reads.append(row)
        return grey(row % 256), 0

    source = open_source(Items(make, 500), split="train")
    opened = len(reads)
    assert 500 < opened < 520
    source.read(np.arange(500))
    source.fingerprint()
    assert len(reads) == opened


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(grey(0), 0)])


@pytest.mark.parametrize("stream", [Stream(), DataLoader(Stream()), iter([1]), (n for n in range(3))])
def test_streams_are_refused_with_the_reason(stream):
    with pytest.raises(DataError, match="no row numbers, so they have no ids"):
        open_source(stream, split="train")


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda row: (torch.rand(3), 0), "move augmentation into views"),
        (lambda row: {"image": grey(row), "label": 0}, "dict with keys image, label"),
        (lambda row: (grey(row), 0, 1), "3 parts"),
        (lambda row: (), "0 parts"),
        (lambda row: (grey(row), [0, 1]), "the label of row 0 is list"),
        (lambda row: (grey(row), "cat"), "the label of row 0 is str"),
        (lambda row: (grey(row), 0.5), r"label 0\.5"),
        (lambda row: (np.zeros((4, 4 + row), np.uint8), 0), r"row 1 is uint8 of shape \(1, 4, 5\), row 0"),
        (lambda row: (grey(row).astype(np.float32 if row else np.uint8), 0), "row 1 is float32"),
        (lambda row: ("text", 0), "give numbers"),
        (lambda row: (np.full(3, np.nan), 0), "NaN or infinity"),
        (lambda row: (Image.new("F", (4, 4)), 0), "no fixed range"),
    ],
)
def test_items_that_cannot_be_read_say_why(make, named):
    with pytest.raises(DataError, match=named):
        open_source(Items(make), split="train")


def test_an_empty_one_is_refused():
    with pytest.raises(DataError, match="empty"):
        open_source(Items(grey, 0), split="train")


def test_torchvisions_data_sets_open():
    datasets = pytest.importorskip("torchvision.datasets", reason="torchvision is not installed")
    source = open_source(datasets.FakeData(size=5, image_size=(3, 8, 9), num_classes=3), split="train")
    assert source.spec.shape == (3, 8, 9)
    assert source.name == "FakeData/train"
