"""`.npz`, `.npy` and folders of them."""

import zipfile

import numpy as np
import pytest

from limbeck.data.open import open_source
from limbeck.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 3, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 1, 0])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("inputs", "target")])
def test_an_archive_gives_what_was_saved(tmp_path, save, names):
    save(tmp_path / "mine.npz", **dict(zip(names, (IMAGES, LABELS), strict=True)))
    source = open_source(tmp_path / "mine.npz", split="train")
    assert source.name == "mine/train"
    assert np.array_equal(source.read(np.arange(5)), IMAGES[:, None])
    assert source.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("kind", [np.float64, np.float16, ">f4", np.int64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_every_type_and_order_become_float32(tmp_path, kind, order):
    values = np.asarray(np.arange(30).reshape(5, 2, 3), dtype=kind, order=order)
    np.savez(tmp_path / "mine.npz", x=values, y=LABELS)
    np.save(tmp_path / "mine.npy", values)
    for name, split in (("mine.npz", "train"), ("mine.npy", "unlabelled")):
        rows = open_source(tmp_path / name, split=split).read(np.array([4, 1]))
        assert rows.dtype == np.float32
        assert np.array_equal(rows, values[[4, 1]].astype(np.float32))


def test_classes_travel_with_the_archive(tmp_path):
    np.savez(tmp_path / "train.npz", x=IMAGES, y=LABELS, classes=np.array(["cat", "dog", "emu"]))
    np.savez(tmp_path / "test.npz", x=IMAGES, y=LABELS, classes=np.array(["emu", "dog", "cat"]))
    train = open_source(tmp_path / "train.npz", split="train")
    test = open_source(tmp_path / "test.npz", split="test", classes=train.classes)
    assert tuple(train.classes) == ("cat", "dog", "emu")
    assert test.labels.tolist() == [2, 1, 0, 1, 2]


def test_a_folder_of_arrays_is_an_archive_unpacked(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    np.save(folder / "x.npy", IMAGES)
    np.save(folder / "y.npy", LABELS)
    np.save(folder / "scratch.npy", LABELS)
    np.savez(tmp_path / "mine.npz", x=IMAGES, y=LABELS)
    one, other = (open_source(path, split="train") for path in (folder, tmp_path / "mine.npz"))
    assert one.fingerprint() == other.fingerprint()


def test_gaps_in_the_labels_are_unlabelled(tmp_path):
    np.savez(tmp_path / "mine.npz", x=IMAGES, y=np.array([0, np.nan, 1, -1, 1]))
    assert open_source(tmp_path / "mine.npz", split="train").labels.tolist() == [0, -1, 1, -1, 1]


def short_member(path):
    np.save(path.with_suffix(".npy"), IMAGES)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", path.with_suffix(".npy").read_bytes()[:-1])


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda path: saved(path, y=LABELS), r"looked for x, images, inputs; found y"),
        (lambda path: saved(path, x=IMAGES, images=IMAGES), "x and images are both there"),
        (lambda path: saved(path, x=IMAGES, y=np.array([{}] * 5)), "pickled Python objects"),
        (lambda path: path.write_bytes(b"nonsense"), r"broken \.npz"),
        (lambda path: path.write_bytes(saved(path, x=IMAGES).read_bytes()[:-40]), r"broken \.npz"),
        (lambda path: zipfile.ZipFile(path, "w").writestr("x.npy", b"\x93NUMPY\1\0"), "not a NumPy array"),
        (lambda path: zipfile.ZipFile(path, "w").writestr("x.npy", b"text"), "not a NumPy array"),
        (short_member, "bytes where its header promises"),
    ],
)
def test_archives_that_cannot_be_read_say_why(tmp_path, make, named):
    path = tmp_path / "mine.npz"
    make(path)
    with pytest.raises(DataError, match=named):
        open_source(path, split="train")


def test_a_flipped_bit_in_an_archive_is_found(tmp_path):
    path = saved(tmp_path / "mine.npz", x=IMAGES, y=LABELS)
    data = bytearray(path.read_bytes())
    data[data.index(IMAGES.tobytes()) + 7] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="CRC"):
        open_source(path, split="train")


def test_a_truncated_npy_is_found(tmp_path):
    np.save(tmp_path / "mine.npy", IMAGES)
    (tmp_path / "mine.npy").write_bytes((tmp_path / "mine.npy").read_bytes()[:-1])
    with pytest.raises(DataError, match="truncated"):
        open_source(tmp_path / "mine.npy", split="unlabelled")
    np.save(tmp_path / "pickled.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match="pickled"):
        open_source(tmp_path / "pickled.npy", split="unlabelled")
