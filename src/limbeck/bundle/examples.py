"""Raw examples for a finished student, read as training read them, in chunks: pictures, NumPy files, tables, streams.

Needs no torch. Nothing is held but a chunk, so that a folder of any size is answered from its first file on.
"""

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limbeck.bundle.arrays import array_rows
from limbeck.bundle.asked import Example, Pending, guarded
from limbeck.bundle.config import InputConfig
from limbeck.bundle.meant import ARRAYS, STDIN, TABLES, files_meant
from limbeck.bundle.pictures import picture
from limbeck.bundle.stream import Kind, from_stream
from limbeck.bundle.tables import csv_rows, json_rows
from limbeck.errors import DataError

_MOST_ROWS = 256
_MOST_BYTES = 1 << 25
"""Of raw examples in a chunk."""

Chunk = tuple[list[Example], NDArray[Any]]
"""Examples, and the rows of those among them that could be read."""


def read_examples(
    paths: Sequence[Path], spec: InputConfig, *, stdin: Kind = "auto", batch: int | None = None, threads: int = 1
) -> Generator[Chunk]:
    """Reads what a student is to be asked, in the order given.

    Args:
        paths: pictures, NumPy files, tables (`.csv`, `.tsv`, `.json`, `.jsonl`), folders of them, patterns, and `-`
            for standard input. Pictures are converted to the student's channels and, if need be, resized (bilinear).
        spec: what the student takes.
        stdin: what standard input holds.
        batch: examples a chunk; by default 1, 2, 4 and so on up to 256, so that the first answer comes at once.
        threads: that decode.

    Yields:
        Chunks: examples in their order, and the rows `(n, *spec.shape)` of type `spec.dtype` of the `n` that have no
        `error`.

    Raises:
        DataError: nothing was given.
    """
    if not paths:
        raise DataError("no input was given: name pictures, folders of them, .npy, .npz, .csv or .jsonl files, or -")
    pending = (each for path in paths for each in guarded(path, _pending(path, spec, stdin)))
    empty = np.zeros((0, *spec.shape), spec.dtype)
    with _mapper(threads) as mapped:
        for size in _sizes(spec, batch):
            part = list(islice(pending, size))
            if not part:
                return
            read = list(mapped(_read, part))
            rows = [row for _, row in read if row is not None]
            yield [example for example, _ in read], np.stack(rows) if rows else empty


def _pending(path: Path, spec: InputConfig, stdin: Kind) -> Iterator[Pending]:
    for file in files_meant(path, spec):
        yield from guarded(file, _of_file(file, spec, stdin))


def _of_file(file: Path, spec: InputConfig, stdin: Kind) -> Iterator[Pending]:
    suffix = file.suffix.lower()
    if file == STDIN:
        yield from _of_stream(from_stream(sys.stdin.buffer, file, spec, stdin), spec)
    elif file.is_fifo():
        with file.open("rb") as content:
            yield from _of_stream(from_stream(content, file, spec), spec)
    elif suffix in ARRAYS:
        yield from array_rows(file, spec)
    elif suffix in TABLES:
        with file.open("rb") as lines:
            if suffix in (".csv", ".tsv"):
                yield from csv_rows(lines, file, spec)
            else:
                yield from json_rows(lines, file, spec, by_line=suffix != ".json")
    else:
        yield picture(file, spec)


def _of_stream(found: Iterable[Path | Pending], spec: InputConfig) -> Iterator[Pending]:
    for each in found:
        if not isinstance(each, Path):
            yield each
        elif each != STDIN:
            yield from guarded(each, _pending(each, spec, "auto"))


def _read(pending: Pending) -> tuple[Example, NDArray[Any] | None]:
    example, load = pending
    try:
        row, note = load()
    except DataError as error:
        return replace(example, error=str(error)), None
    return (example if note is None else replace(example, note=note)), row


def _sizes(spec: InputConfig, batch: int | None) -> Iterator[int]:
    """Of the chunks, one after the other. They do not depend on the clock: with them, the last bits of answers do."""
    bytes_each = max(1, prod(spec.shape) * np.dtype(spec.dtype).itemsize)
    most = batch or max(1, min(_MOST_ROWS, _MOST_BYTES // bytes_each))
    size = batch or 1
    while True:
        yield size
        size = min(2 * size, most)


_Mapper = Callable[[Callable[[Pending], Any], Sequence[Pending]], Iterable[Any]]


@contextmanager
def _mapper(threads: int) -> Iterator[_Mapper]:
    if threads == 1:
        yield map
        return
    with ThreadPoolExecutor(threads) as pool:
        yield partial(ThreadPoolExecutor.map, pool)
