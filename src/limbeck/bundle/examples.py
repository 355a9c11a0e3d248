"""Raw examples for a finished student, read as training read them: pictures, folders of pictures, NumPy files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limbeck.bundle.config import InputConfig
from limbeck.core.optional import require
from limbeck.data.memory import ArraySource, from_arrays
from limbeck.data.npz import open_npy, open_npz
from limbeck.errors import DataError

ARRAYS = frozenset((".npy", ".npz"))
_CHUNK = 256
"""Examples read at a time."""


@dataclass(frozen=True, slots=True)
class Example:
    """Where a row came from.

    Attributes:
        file: its path.
        row: its number within the file; `None` for pictures.
        note: what had to be done to it.
    """

    file: Path
    row: int | None = None
    note: str | None = None


Chunk = tuple[list[Example], NDArray[Any]]
"""Where rows came from, and the rows."""


def read_examples(paths: Sequence[Path], spec: InputConfig) -> Iterator[Chunk]:
    """Reads what a student is to be asked, in the order given. Needs no torch.

    Args:
        paths: picture files, folders (searched through, in the order of their names) and `.npy` / `.npz` files.
        spec: what the student takes. Pictures are converted to its channels and, if need be, resized (bilinear).

    Yields:
        Chunks: where each row came from, and the rows `(n, *spec.shape)` of type `spec.dtype`.

    Raises:
        DataError: nothing was given, or a file cannot be read as what the student takes; names it.
    """
    pictures: list[Path] = []
    for file in _files(paths):
        if file.suffix.lower() not in ARRAYS:
            pictures.append(file)
            continue
        yield from _pictures(pictures, spec)
        pictures = []
        yield from _rows(file, spec)
    yield from _pictures(pictures, spec)


def _files(paths: Sequence[Path]) -> list[Path]:
    """All files meant by `paths`; folders are searched through."""
    if not paths:
        raise DataError("no input was given: name picture files, folders of them, or .npy or .npz files")
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += _below(path)
        elif path.is_file():
            files.append(path)
        else:
            raise DataError(f"{path} does not exist: name picture files, folders of them, or .npy or .npz files")
    return files


def _below(folder: Path) -> list[Path]:
    from limbeck.data.images import SUFFIXES

    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in ARRAYS | SUFFIXES and file.is_file())
    if not found:
        raise DataError(f"{folder} holds no picture ({', '.join(sorted(SUFFIXES))}) and no NumPy file")
    return found


def _pictures(files: Sequence[Path], spec: InputConfig) -> Iterator[Chunk]:
    for start in range(0, len(files), _CHUNK):
        read = [_picture(file, spec) for file in files[start : start + _CHUNK]]
        yield [example for example, _ in read], np.stack([pixels for _, pixels in read])


def _picture(file: Path, spec: InputConfig) -> tuple[Example, NDArray[np.uint8]]:
    """One picture as `(channels, height, width)`."""
    if spec.kind != "image":
        raise DataError(f"{file}: this student takes {_expected(spec)}, not pictures: give .npy or .npz files")
    channels, height, width = spec.shape
    if channels not in (1, 3):
        raise DataError(f"{file}: this student takes {channels} channels; give .npy or .npz files ({_expected(spec)})")
    require("PIL", extra=None, purpose="reading pictures")
    from limbeck.data.images import opened, pixels, upright_size

    with opened(file) as picture:
        found = upright_size(picture)
        raw = pixels(picture, channels, (height, width), str(file))
    resized = found != (height, width)
    note = f"resized from {found[1]} x {found[0]} to {width} x {height} pixels" if resized else None
    return Example(file, note=note), raw


def _rows(file: Path, spec: InputConfig) -> Iterator[Chunk]:
    """The rows of a NumPy file."""
    source = _source(file, spec)
    for start in range(0, len(source), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(source)))
        yield [Example(file, row) for row in rows.tolist()], source.read(rows)


def _source(file: Path, spec: InputConfig) -> ArraySource:
    archive = file.suffix.lower() == ".npz"
    source = open_npz(file, name=file.name) if archive else open_npy(file, name=file.name)
    if _fits(source, spec):
        return source
    if not archive:  # one example, saved without a batch axis
        alone = from_arrays(np.load(file, mmap_mode="r")[None], None, name=file.name)
        if len(alone) == 1 and _fits(alone, spec):
            return alone
    raise DataError(f"{file} holds {source.spec} each; this student takes {_expected(spec)}: convert them")


def _fits(source: ArraySource, spec: InputConfig) -> bool:
    return (source.spec.kind, source.spec.shape, source.spec.dtype) == (spec.kind, spec.shape, spec.dtype)


def _expected(spec: InputConfig) -> str:
    return f"{spec.dtype} {spec.kind}, {' x '.join(map(str, spec.shape))}"
