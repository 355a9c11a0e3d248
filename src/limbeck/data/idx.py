"""IDX files, the format of MNIST and its relatives: a header of big-endian sizes, then the numbers."""

import gzip
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limbeck.data.memory import ArraySource, from_arrays
from limbeck.data.spool import CHUNK_BYTES, mapped, spool
from limbeck.errors import DataError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_AXES = 8
_PREFIXES = {
    "train": ("train",),
    "test": ("t10k", "test"),
    "validation": ("validation", "valid", "val"),
    "unlabelled": ("unlabelled", "unlabeled"),
}
_IMAGES = re.compile(r"^(?P<prefix>\w+)[-_.]images?([-_.]idx\d)?[-_.]?(ubyte|idx)?(\.idx)?(\.gz)?$")
_FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def image_files(folder: Path) -> dict[str, Path]:
    """The IDX image files of a folder by prefix: `{"train": .../train-images-idx3-ubyte.gz, ...}`; raw before gzip."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        match = _IMAGES.match(path.name)
        if match and path.is_file() and _is_idx_name(path):
            found.setdefault(match["prefix"], path)
    return found


def _is_idx_name(path: Path) -> bool:
    return "idx" in path.name or "ubyte" in path.name


def looks_like_idx(path: Path) -> bool:
    """Whether a file's name is one that IDX files have."""
    return _is_idx_name(path)


def brings(folder: Path, split: str) -> bool:
    """Whether a folder has IDX images of this split."""
    return folder.is_dir() and not set(_PREFIXES[split]).isdisjoint(image_files(folder))


def open_idx(path: Path, split: str, *, name: str, classes: Sequence[str] | None = None) -> ArraySource:
    """Images and labels of one split.

    Args:
        path: a folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-...` (or `test-...`,
            `validation-...`), gzipped or raw; or one file of images, whose labels lie beside it under the same name
            with "labels" for "images".
        split: which of the folder's parts.
        name: namespace of the ids.
        classes: class names; by default Fashion-MNIST's where the path says "fashion-mnist", else "0", "1", ...

    Raises:
        DataError: the part is not there, or a file is not what its header says.
    """
    images = _part(path, split) if path.is_dir() else path
    labels = _labels_beside(images)
    if labels is None and split != "unlabelled":
        raise DataError(
            f"{images}: its labels were looked for beside it and not found; put {_labels_name(images)} there"
        )
    inputs = read_idx(images)
    if inputs.ndim == 1:
        raise DataError(f"{images}: one number an example, so these are labels; give the file of images")
    fashion = "fashion-mnist" in str(path.absolute()).lower()
    return from_arrays(
        inputs,
        None if labels is None else read_idx(labels),
        name=name,
        classes=classes,
        default_classes=_FASHION if fashion else None,
    )


def _part(folder: Path, split: str) -> Path:
    found = image_files(folder)
    for prefix in _PREFIXES[split]:
        if prefix in found:
            return found[prefix]
    train = found.get("train")
    if split == "unlabelled" and train is not None:
        if _labels_beside(train) is None:
            return train
        raise DataError(  # validation and perhaps test are split off these
            f"{folder}: no unlabelled images among its IDX files; looked for unlabelled-images-idx3-ubyte(.gz), and "
            f"{train.name} has labels; where none of them is validated or tested on, name that file in data.unlabelled"
        )
    raise DataError(
        f"{folder}: no {split} images among its IDX files ({', '.join(p.name for p in found.values())}); "
        f"looked for {_PREFIXES[split][0]}-images-idx3-ubyte(.gz)"
    )


def _labels_name(images: Path) -> str:
    return re.sub(r"idx\d", "idx1", images.name.replace("images", "labels").replace("image", "label"))


def _labels_beside(images: Path) -> Path | None:
    name = _labels_name(images)
    if name == images.name:
        return None
    plain = images.with_name(name.removesuffix(".gz"))
    return next((path for path in (plain, plain.with_name(plain.name + ".gz")) if path.is_file()), None)


def read_idx(path: Path) -> NDArray[Any]:
    """The array of an IDX file: mapped where it is raw, unpacked into a spool and mapped where it is gzipped.

    Raises:
        DataError: not an IDX file, truncated, or broken gzip.
    """
    if path.suffix != ".gz":
        with path.open("rb") as file:
            dtype, shape, offset = _header(file.read, path)
        _check_length(path.stat().st_size - offset, dtype, shape, path)
        if 0 in shape:
            return np.zeros(shape, dtype)
        return np.asarray(np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape))
    try:
        with gzip.open(path, "rb") as packed, spool() as file:
            dtype, shape, _ = _header(packed.read, path)
            length = 0
            while chunk := packed.read(CHUNK_BYTES):
                length += file.write(chunk)
            _check_length(length, dtype, shape, path)
            return mapped(file, dtype, shape)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: broken gzip ({error}); download it again") from error


def _header(read: Callable[[int], bytes], path: Path) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    magic = read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not 1 <= magic[3] <= _MOST_AXES:
        raise DataError(f"{path}: not an IDX file: it starts with {magic.hex(' ')}, expected 00 00 08 03 for images")
    sizes = read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path}: truncated in its header; download it again")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    return np.dtype(_TYPES[magic[2]]), shape, 4 + len(sizes)


def _check_length(length: int, dtype: np.dtype[Any], shape: tuple[int, ...], path: Path) -> None:
    expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if length != expected:
        raise DataError(
            f"{path}: its header promises {expected} bytes of shape {shape}, but there are {length}; download it again"
        )
