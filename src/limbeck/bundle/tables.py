"""CSV and JSON for a finished student: rows of numbers, or the paths of pictures."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from limbeck.bundle.asked import Example, Pending, refused
from limbeck.bundle.config import InputConfig
from limbeck.bundle.pictures import picture
from limbeck.bundle.values import array_of, by_name, is_example
from limbeck.errors import DataError

PATHS = ("file", "path", "image", "filename")
"""Columns and keys that hold the path of a picture."""
_INPUTS = ("x", "inputs", "input")
_SEPARATORS = "\t;,"


def csv_rows(lines: Iterable[bytes], file: Path, spec: InputConfig) -> Iterator[Pending]:
    """The rows of a table: by the names of its header where the student knows names, else in their order.

    For pictures, a column of paths (one of `PATHS`, or the first that holds names of pictures), relative to the
    table; or one column a pixel.

    Args:
        lines: of the file, UTF-8.
        file: its path.
        spec: what the student takes.

    Yields:
        Examples with their rows; one that cannot be read is refused in its turn.

    Raises:
        DataError: empty, or the columns are not what the student takes.
    """
    texts = (line.decode("utf-8", "surrogateescape") for line in lines)
    first = next(texts, "").removeprefix("\ufeff")
    if not first.strip():
        raise DataError(f"{file}: no rows")
    separator = max(_SEPARATORS, key=first.count)
    rows = csv.reader(chain([first], texts), delimiter=separator)
    try:
        head = next(rows)
        names = None if _all_numbers(head) else [name.strip() for name in head]
        if spec.kind == "image" and names is not None:
            yield from _column_of_paths(names, rows, file, spec)
            return
        place = None if names is None else _places(names, spec, file)
        for number, row in enumerate(row for row in (chain([head], rows) if names is None else rows) if row):
            cells = row if place is None else [row[at] if at < len(row) else "" for at in place]
            where = f"{file}, line {rows.line_num}"
            yield Example(file, number), partial(_row, cells, spec, where)
    except csv.Error as error:
        raise DataError(f"{file}, line {rows.line_num}: {error}") from error


def _all_numbers(cells: Sequence[str]) -> bool:
    try:
        [float(cell) for cell in cells]
    except ValueError:
        return False
    return True


def _places(names: Sequence[str], spec: InputConfig, file: Path) -> list[int] | None:
    """Where the student's columns are, if it knows their names."""
    if spec.columns is None:
        return None
    places = {name: at for at, name in enumerate(names)}
    return [int(at) for at in by_name(places, spec.columns, f"{file}, header")]


def _row(values: Any, spec: InputConfig, where: str) -> tuple[NDArray[Any], None]:  # noqa: ANN401 - a row of a file
    return array_of(values, spec, where), None


def _column_of_paths(
    names: Sequence[str], rows: Iterable[Sequence[str]], file: Path, spec: InputConfig
) -> Iterator[Pending]:
    from limbeck.data.images import SUFFIXES

    def is_name(cell: str) -> bool:
        return Path(cell.strip()).suffix.lower() in SUFFIXES

    named = [at for at, name in enumerate(names) if name.lower() in PATHS]
    if not named and any(map(is_name, names)):  # no header: the first row is one of paths
        rows, named = chain([names], rows), [at for at, name in enumerate(names) if is_name(name)]
    for row in rows:
        if not named:
            named = [at for at, cell in enumerate(row) if is_name(cell)] or list(range(len(row)))[: len(row) == 1]
        if not named:
            raise DataError(f"{file}: which column holds the paths of pictures? Name it {PATHS[0]}")
        if len(row) > named[0]:
            yield picture(file.parent / row[named[0]].strip(), spec)
        elif row:
            yield refused(Example(file), DataError(f"{file}: a row without column {named[0] + 1}: {row}"))


def path_lines(lines: Iterable[bytes], folder: Path) -> Iterator[Path]:
    """Paths, one a line, or ended by NUL bytes where the first line has any (`find -print0`).

    Args:
        lines: as they come.
        folder: what they are relative to.

    Yields:
        Paths in any script; bytes that are not UTF-8 survive.
    """
    iterator = iter(lines)
    first = next(iterator, b"")
    every = chain([first], iterator)
    for name in _ended_by_nul(every) if b"\0" in first else (line.rstrip(b"\r\n") for line in every):
        if name:
            yield folder / os.fsdecode(name)


def _ended_by_nul(lines: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for line in lines:
        *whole, rest = (rest + line).split(b"\0")
        yield from whole
    yield rest


def json_rows(lines: Iterable[bytes], file: Path, spec: InputConfig, *, by_line: bool = False) -> Iterator[Pending]:
    """The examples of a JSON file: a value a line, or one document.

    An example is a list of numbers (nested or flat), an object of numbers by name, an object with `x`, or, for
    pictures, a path or an object with `file`. A list that is no example is a list of examples.

    Args:
        lines: of the file, UTF-8.
        file: its path.
        spec: what the student takes.
        by_line: never a document over several lines.

    Yields:
        Examples with their rows; one that cannot be read is refused in its turn.

    Raises:
        DataError: no JSON at all.
    """
    names = list(spec.columns or ())
    for number, (where, value) in enumerate(_values(iter(lines), file, spec, by_line=by_line)):
        if isinstance(value, DataError):
            yield refused(Example(file, number), value)
            continue
        path = _path_in(value) if spec.kind == "image" else None
        if path is not None:
            yield picture(file.parent / path, spec)
            continue
        if isinstance(value, dict) and not names and not any(key in value for key in _INPUTS):
            names = list(value)
        yield Example(file, number), partial(_json_row, value, names, spec, where)


def _path_in(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        value = next((value[key] for key in PATHS if key in value), None)
    return value if isinstance(value, str) else None


def _json_row(
    value: Any,  # noqa: ANN401 - any JSON value
    names: Sequence[str],
    spec: InputConfig,
    where: str,
) -> tuple[NDArray[Any], None]:
    if isinstance(value, dict):
        key = next((key for key in _INPUTS if key in value and key not in names), None)
        value = value[key] if key is not None else by_name(value, names, where)
    return array_of(value, spec, where), None


def _values(lines: Iterator[bytes], file: Path, spec: InputConfig, *, by_line: bool) -> Iterator[tuple[str, Any]]:
    """Every example's JSON value (or why it is none), with where it stands."""
    first = next(lines, b"").removeprefix(b"\xef\xbb\xbf")
    try:
        value = json.loads(first)
    except ValueError:
        if not by_line:
            yield from _document(first + b"".join(lines), file, spec)
            return
        value = None
    for number, line in enumerate(chain([first], lines), 1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            value = json.loads(line)
        except ValueError as error:
            yield where, DataError(f"{where}: no JSON ({error})")
            continue
        yield from _examples(value, where, spec)


def _document(text: bytes, file: Path, spec: InputConfig) -> Iterator[tuple[str, Any]]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError(f"{file}: no JSON ({error})" if text.strip() else f"{file}: no rows") from error
    yield from _examples(value, str(file), spec)


def _examples(value: Any, where: str, spec: InputConfig) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    if is_example(value, spec):
        yield where, value
        return
    for number, each in enumerate(value):
        yield f"{where}, row {number}", each
