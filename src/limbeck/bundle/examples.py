"""Raw examples for a finished student, from picture files, folders of them, and NumPy files. Needs no torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from limbeck.bundle.config import InputConfig
from limbeck.core.optional import require
from limbeck.errors import DataError

ARRAYS = (".npy", ".npz")
PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""What is looked for in folders; a file that is named itself may be called anything."""

_CHUNK = 256
"""Pictures decoded at a time."""


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


def read_examples(paths: Sequence[Path], spec: InputConfig) -> Iterator[tuple[list[Example], NDArray[Any]]]:
    """Reads what a student is to be asked, in the order given.

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
        rows = _array(file, spec)
        yield [Example(file, row) for row in range(len(rows))], rows
    yield from _pictures(pictures, spec)


def _files(paths: Sequence[Path]) -> list[Path]:
    """All files meant by `paths`; folders are searched through."""
    if not paths:
        raise DataError("no input was given: name picture files, folders of them, or .npy or .npz files")
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.suffix.lower() in ARRAYS + PICTURES)
            if not found:
                raise DataError(f"{path} holds no picture ({', '.join(PICTURES)}) and no NumPy file")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise DataError(f"{path} does not exist: name picture files, folders of them, or .npy or .npz files")
    return files


def _pictures(files: Sequence[Path], spec: InputConfig) -> Iterator[tuple[list[Example], NDArray[Any]]]:
    for start in range(0, len(files), _CHUNK):
        read = [_picture(file, spec) for file in files[start : start + _CHUNK]]
        yield [example for example, _ in read], np.stack([pixels for _, pixels in read])


def _picture(file: Path, spec: InputConfig) -> tuple[Example, NDArray[np.uint8]]:
    """One picture as `(channels, height, width)`."""
    if spec.kind != "image":
        raise DataError(f"{file}: this student takes rows of {spec.shape}, not pictures: give .npy or .npz files")
    require("PIL", extra=None, purpose="reading pictures")
    from PIL import Image

    channels, height, width = spec.shape
    modes = {1: "L", 3: "RGB", 4: "RGBA"}
    if channels not in modes:
        raise DataError(
            f"{file}: this student takes {channels} channels, which no picture has: give .npy or .npz files"
        )
    try:
        with Image.open(file) as opened:
            picture = opened.convert(modes[channels])
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} cannot be read as a picture: {error}") from error
    note = None
    if picture.size != (width, height):
        note = f"resized from {picture.width} x {picture.height} to {width} x {height} pixels"
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture, dtype=np.uint8).reshape(height, width, channels)
    return Example(file, note=note), pixels.transpose(2, 0, 1)


def _array(file: Path, spec: InputConfig) -> NDArray[Any]:
    """The rows of a NumPy file in the student's shape and type."""
    arrays = _load(file)
    shaped = {name: _in_rows(array, spec) for name, array in arrays.items()}
    fitting = [array for array in shaped.values() if array is not None]
    expected = f"{spec.dtype}, n x {' x '.join(map(str, spec.shape))}"
    if len(fitting) != 1:
        held = "; ".join(
            f"{name}: {array.dtype}, {' x '.join(map(str, array.shape))}" for name, array in arrays.items()
        )
        number = f"{len(fitting)} arrays" if fitting else "no array"
        raise DataError(f"{file} holds {number} of the shape this student takes ({expected}); it holds {held}")
    return _typed(fitting[0], spec, file)


def _load(file: Path) -> dict[str, NDArray[Any]]:
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"the array": loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"{file} cannot be read as a NumPy file of numbers: {error}") from error


def _in_rows(array: NDArray[Any], spec: InputConfig) -> NDArray[Any] | None:
    """`array` as `(n, *shape)`: one example alone gets its batch axis, grey pictures their channel."""
    candidates = [array, array[None]]
    if spec.kind == "image" and spec.shape[0] == 1 and array.ndim >= 2:
        candidates += [array[:, None], array[None, None]]
    return next((each for each in candidates if each.shape[1:] == spec.shape), None)


def _typed(rows: NDArray[Any], spec: InputConfig, file: Path) -> NDArray[Any]:
    """Pictures must be uint8 already; numbers of rows are converted."""
    if spec.kind == "image" and rows.dtype != spec.dtype:
        raise DataError(
            f"{file} holds {rows.dtype}, but this student takes pictures as {spec.dtype}: convert them (0 to 255)"
        )
    if rows.dtype.kind not in "biuf" or (rows.dtype.kind == "f" and not np.isfinite(rows).all()):
        raise DataError(f"{file} must hold finite numbers, but holds {rows.dtype} with others")
    return np.ascontiguousarray(rows, dtype=spec.dtype)
