"""Tables of predicted classes that others made: CSV, Parquet or npz, read as numbers, names and keys."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from limbeck.core.optional import require
from limbeck.errors import DataError

Kind = Literal["probabilities", "logits"]

KEYS = ("id", "ids", "key", "keys", "path", "paths", "file", "filename", "row", "rows", "index")
"""Columns and npz arrays that are taken for the key where none is named."""


@dataclass(frozen=True, slots=True)
class Table:
    """One row an example.

    Attributes:
        names: of the columns of `values`; `None`: they have none.
        values: numbers as they stand there; NaN where a field is empty.
        keys: of the rows, text or whole numbers; `None`: their order is all there is.
        kind: what the numbers are, where the file says so.
    """

    names: tuple[str, ...] | None
    values: Float[np.ndarray, "n columns"]
    keys: NDArray[Any] | None
    kind: Kind | None = None


def read_table(file: Path, *, key: str | None, wanted: Sequence[str]) -> Table:
    """Reads a table by its suffix.

    Args:
        file: `.csv`, `.parquet` or `.npz`.
        key: the column that says which example a row is about; `None`: the first of `KEYS` that there is.
        wanted: class names; other columns are left unread.

    Returns:
        The table.

    Raises:
        DataError: it is absent, of another kind, cannot be read, or lacks the key or a class.
    """
    readers = {".csv": _csv, ".parquet": _parquet, ".pq": _parquet, ".npz": _npz}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise DataError(f"{file}: expected .csv, .parquet or .npz, got {file.suffix or 'no suffix'}")
    if not file.is_file():
        raise DataError(f"{file}: there is no such file")
    return reader(file, key, wanted)


def _csv(file: Path, key: str | None, wanted: Sequence[str]) -> Table:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines)
        header = [name.strip() for name in next(rows, [])]
        column, places = _chosen(file, header, key, wanted)
        values: list[list[float]] = []
        keys: list[str] = []
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise DataError(f"{file}: line {rows.line_num} has {len(row)} fields, the header {len(header)}")
            values.append([_number(row[place], file, rows.line_num) for place in places])
            if column is not None:
                keys.append(row[column].strip())
    numbers = np.array(values, dtype=np.float64).reshape(len(values), len(places))
    return Table(tuple(wanted), numbers, np.array(keys) if column is not None else None)


def _number(field: str, file: Path, line: int) -> float:
    try:
        return float(field) if field.strip() else np.nan
    except ValueError as error:
        raise DataError(f"{file}: line {line}: {field!r} is not a number") from error


def _parquet(file: Path, key: str | None, wanted: Sequence[str]) -> Table:
    parquet = require("pyarrow.parquet", extra="data", purpose="reading Parquet files")
    arrow = require("pyarrow", extra="data", purpose="reading Parquet files")
    try:
        header = [str(name) for name in parquet.read_schema(file).names]
        column, places = _chosen(file, header, key, wanted)
        read = [*wanted] if column is None else [header[column], *wanted]
        table = parquet.read_table(file, columns=read)
        values = [table[header[place]].cast(arrow.float64()).to_numpy() for place in places]
    except arrow.ArrowException as error:
        raise DataError(f"{file} cannot be read as Parquet: {error}") from error
    keys = None if column is None else table[header[column]].to_numpy()
    return Table(tuple(wanted), np.stack(values, axis=1), keys)


def _chosen(file: Path, header: Sequence[str], key: str | None, wanted: Sequence[str]) -> tuple[int | None, list[int]]:
    """Places of the key (or `None`) and of each class."""
    twice = sorted({name for name in header if list(header).count(name) > 1})
    if twice:
        raise DataError(f"{file}: the header names {', '.join(map(repr, twice))} more than once")
    missing = [name for name in wanted if name not in header]
    if missing:
        raise DataError(
            f"{file} has no column for {', '.join(map(repr, missing[:5]))}: its columns are "
            f"{', '.join(map(repr, header[:12]))}, the data's classes {', '.join(map(repr, wanted[:12]))}; name the "
            "columns after the classes"
        )
    if key is not None and key not in header:
        raise DataError(
            f"{file} has no column {key!r} for the key: its columns are {', '.join(map(repr, header[:12]))}"
        )
    found = key or next((name for name in KEYS if name in header and name not in wanted), None)
    return (None if found is None else header.index(found)), [header.index(name) for name in wanted]


def _npz(file: Path, key: str | None, wanted: Sequence[str]) -> Table:
    del wanted
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise DataError(f"{file} cannot be read as npz: {error}") from error
    kinds: list[Kind] = [kind for kind in ("probabilities", "logits") if kind in arrays]
    if len(kinds) != 1 or arrays[kinds[0]].ndim != 2:
        raise DataError(
            f"{file}: expected one array (rows, classes) named probabilities or logits; found "
            f"{', '.join(f'{name} {array.shape}' for name, array in arrays.items()) or 'none'}"
        )
    if key is not None and key not in arrays:
        raise DataError(f"{file} has no array {key!r} for the key: it has {', '.join(map(repr, arrays))}")
    found = key or next((name for name in KEYS if name in arrays), None)
    names = tuple(map(str, arrays["classes"].tolist())) if "classes" in arrays else None
    values = arrays[kinds[0]].astype(np.float64)
    return Table(names, values, None if found is None else arrays[found], kinds[0])
