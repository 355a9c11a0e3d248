"""Rows of NumPy files for a finished student."""

import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from limbeck.bundle.asked import Example, Pending, expected
from limbeck.bundle.config import InputConfig
from limbeck.core.storage import plain_storage_errors
from limbeck.data.memory import ArraySource, from_arrays
from limbeck.data.npz import open_npy, open_npz
from limbeck.data.spool import CHUNK_BYTES
from limbeck.errors import DataError

_TOGETHER = 64
"""Rows read at a time."""


def array_rows(file: Path, spec: InputConfig, content: IO[bytes] | None = None) -> Iterator[Pending]:
    """The rows of a `.npy` or `.npz` file.

    Args:
        file: its path.
        spec: what the student takes.
        content: where the bytes come from, unless from the file; copied to disk first, as they cannot be mapped.

    Yields:
        Examples with their rows.

    Raises:
        DataError: it cannot be read, or holds something else than the student takes.
    """
    if content is None:
        yield from _rows(file, file, spec)
        return
    with tempfile.TemporaryDirectory(prefix="limbeck-") as folder:
        copy = Path(folder) / "rows"
        with plain_storage_errors(copy), copy.open("wb") as filled:
            shutil.copyfileobj(content, filled, CHUNK_BYTES)
        yield from _rows(copy, file, spec)


def _rows(path: Path, file: Path, spec: InputConfig) -> Iterator[Pending]:
    source = _source(path, file, spec)
    for start in range(0, len(source), _TOGETHER):
        numbers = np.arange(start, min(start + _TOGETHER, len(source)))
        for number, row in zip(numbers.tolist(), source.read(numbers), strict=True):
            yield Example(file, number), partial(_as_it_is, row)


def _as_it_is(row: NDArray[Any]) -> tuple[NDArray[Any], None]:
    return row, None


def _source(path: Path, file: Path, spec: InputConfig) -> ArraySource:
    with path.open("rb") as opened:
        archive = opened.read(2) == b"PK"
    try:
        source = open_npz(path, name=file.name) if archive else open_npy(path, name=file.name)
    except DataError as error:  # a copy of standard input has a name that nobody knows
        raise DataError(str(error).replace(str(path), str(file))) from error
    if _fits(source, spec):
        return source
    if not archive:  # one example, saved without a batch axis
        alone = from_arrays(np.load(path, mmap_mode="r")[None], None, name=file.name)
        if len(alone) == 1 and _fits(alone, spec):
            return alone
    raise DataError(f"{file} holds {source.spec} each; this student takes {expected(spec)}: convert them")


def _fits(source: ArraySource, spec: InputConfig) -> bool:
    return (source.spec.kind, source.spec.shape, source.spec.dtype) == (spec.kind, spec.shape, spec.dtype)
