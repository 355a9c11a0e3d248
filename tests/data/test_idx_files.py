"""IDX files against bytes written here by hand, and everything that can be wrong with them."""

import gzip
import struct
import zlib

import numpy as np
import pytest

from limbeck.data.idx import read_idx
from limbeck.data.open import open_source
from limbeck.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 3, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 1, 0], np.uint8)


def idx(array, code=0x08):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


def written(folder, *, packed=True, prefix="train", images=IMAGES, labels=LABELS):
    folder.mkdir(exist_ok=True)
    for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))
    return folder


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_gives_what_was_written(tmp_path, packed):
    written(tmp_path / "mine", packed=packed)
    written(tmp_path / "mine", packed=packed, prefix="t10k", images=IMAGES[::-1], labels=LABELS[::-1])
    train, test = (open_source(tmp_path / "mine", split=split) for split in ("train", "test"))
    assert train.name == "mine/train"
    assert str(train.spec) == "uint8 image, 1 x 3 x 4"
    assert np.array_equal(train.read(np.arange(5)), IMAGES[:, None])
    assert np.array_equal(test.read(np.arange(5)), IMAGES[::-1, None])
    assert train.labels.tolist() == LABELS.tolist()
    assert tuple(train.classes) == ("0", "1", "2")


def test_packed_and_raw_have_one_fingerprint(tmp_path):
    one = open_source(written(tmp_path / "a"), split="train", name="x")
    other = open_source(written(tmp_path / "b", packed=False), split="train", name="x")
    assert one.fingerprint() == other.fingerprint()


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images.idx3-ubyte", "train_images-idx3-ubyte.gz"])
def test_one_file_finds_its_labels(tmp_path, name):
    data, labels = idx(IMAGES), idx(LABELS)
    if name.endswith(".gz"):
        data, labels = gzip.compress(data), gzip.compress(labels)
    (tmp_path / name).write_bytes(data)
    (tmp_path / name.replace("images", "labels").replace("idx3", "idx1")).write_bytes(labels)
    for where in (tmp_path / name, tmp_path):
        assert open_source(where, split="train").labels.tolist() == LABELS.tolist()


def test_images_alone_are_unlabelled_or_incomplete(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    assert (open_source(tmp_path, split="unlabelled").labels == -1).all()
    with pytest.raises(DataError, match="put train-labels-idx1-ubyte there"):
        open_source(tmp_path, split="train")


@pytest.mark.parametrize(("code", "dtype"), [(0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_other_numbers_are_read_big_endian(tmp_path, code, dtype):
    values = np.array([[1, -2], [100, 3]], dtype=dtype)
    (tmp_path / "a.idx").write_bytes(idx(values, code))
    assert np.array_equal(read_idx(tmp_path / "a.idx"), values)
    source = open_source(tmp_path / "a.idx", split="unlabelled")
    assert source.read(np.array([1])).tolist() == [[100.0, 3.0]]


def test_fashion_mnists_names_come_with_its_folder(tmp_path):
    labels = np.array([0, 9, 2, 1, 0], np.uint8)
    named = open_source(written(tmp_path / "Fashion-MNIST", labels=labels), split="train")
    assert named.classes[9] == "Ankle boot"
    own = open_source(tmp_path / "Fashion-MNIST", split="train", classes=list("abcdefghij"))
    assert tuple(own.classes) == tuple("abcdefghij")


def test_a_missing_part_says_what_is_there(tmp_path):
    with pytest.raises(DataError, match=r"no test images.*train-images-idx3-ubyte\.gz.*looked for t10k-images"):
        open_source(written(tmp_path / "mine"), split="test")


def truncated(data):
    return data[:-5]


@pytest.mark.parametrize(
    ("name", "damage", "named"),
    [
        ("train-images-idx3-ubyte", truncated, "promises 60 bytes.*there are 55"),
        ("train-images-idx3-ubyte", lambda data: data + b"x", "there are 61"),
        ("train-images-idx3-ubyte", lambda data: data[:10], "truncated in its header"),
        ("train-images-idx3-ubyte", lambda data: b"PK\3\4" + data, "not an IDX file: it starts with 50 4b 03 04"),
        ("train-images-idx3-ubyte", lambda data: b"", "not an IDX file"),
        ("train-images-idx3-ubyte.gz", lambda data: truncated(gzip.compress(data)), "broken gzip"),
        ("train-images-idx3-ubyte.gz", lambda data: data, "broken gzip"),
        ("train-images-idx3-ubyte.gz", lambda data: gzip.compress(truncated(data)), "promises 60 bytes"),
        ("train-images-idx3-ubyte.gz", lambda data: flipped(gzip.compress(data)), "broken gzip"),
        (
            "train-images-idx3-ubyte",
            lambda data: struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1),
            "promises",
        ),
    ],
)
def test_broken_files_are_named(tmp_path, name, damage, named):
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    (tmp_path / name).write_bytes(damage(idx(IMAGES)))
    with pytest.raises(DataError, match=named) as caught:
        open_source(tmp_path, split="train")
    assert name in str(caught.value)


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


def test_as_many_labels_as_images(tmp_path):
    with pytest.raises(DataError, match="5 inputs but 4 labels"):
        open_source(written(tmp_path / "mine", labels=LABELS[:4]), split="train")


def test_a_file_of_labels_is_not_images(tmp_path):
    written(tmp_path / "mine", packed=False)
    with pytest.raises(DataError, match="give the file of images"):
        open_source(tmp_path / "mine" / "train-labels-idx1-ubyte", split="unlabelled")


@pytest.mark.fashion
def test_debians_fashion_mnist_opens():
    train, test = (open_source("/usr/share/datasets/fashion-mnist", split=split) for split in ("train", "test"))
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.name == "fashion-mnist/train"
    assert train.spec.shape == (1, 28, 28)
    assert np.bincount(train.labels).tolist() == [6000] * 10
    assert train.classes[0] == "T-shirt/top"
    with gzip.open("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz") as file:
        raw = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    rows = np.array([9999, 0, 1234])
    assert np.array_equal(test.read(rows), raw[rows])
    assert zlib.crc32(test.read(np.arange(10_000)).tobytes()) == zlib.crc32(raw.tobytes())
