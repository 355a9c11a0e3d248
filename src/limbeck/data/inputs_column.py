"""The input columns of a table, batch after batch: rows of numbers, arrays, or encoded pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from limbeck.data.files import Blobs, Files, Paths, Pieces, Texts
from limbeck.data.roles import Roles
from limbeck.data.spool import Growing
from limbeck.data.table import Table, arrow, whole
from limbeck.errors import DataError

_MEND = "fill it, remove the row, or name other columns in data.columns.input"


class InputColumns(Protocol):
    """Takes the inputs of a table as they come."""

    def add(self, batch: Any, start: int) -> None:  # noqa: ANN401 - an Arrow table
        """The inputs of one batch, which begins at row `start`."""
        ...

    def finished(self) -> NDArray[Any] | Files:
        """All of them."""
        ...


def input_columns(table: Table, roles: Roles) -> InputColumns:
    """What takes the inputs of such columns."""
    names = roles.columns.input
    if roles.inputs == "numbers":
        return _Numbers(table.what, names)
    if roles.inputs == "array":
        return _Arrays(table.what, names[0])
    return _Pictures(table, names[0])


class _Numbers:
    """Columns of numbers: float32 rows."""

    def __init__(self, what: str, names: Sequence[str]) -> None:
        self.what, self.names = what, names
        self.grown = Growing(np.float32)

    def add(self, batch: Any, start: int) -> None:  # noqa: ANN401
        pa = arrow()
        rows = np.empty((batch.num_rows, len(self.names)), np.float32)
        for place, name in enumerate(self.names):
            column = whole(batch.column(name)).cast(pa.float64()).to_numpy(zero_copy_only=False)
            empty = np.flatnonzero(np.isnan(column))
            if empty.size:
                raise DataError(f"{self.what}: column {name!r} of row {start + int(empty[0])} is empty; {_MEND}")
            with np.errstate(over="ignore"):  # infinity is refused further on, with its row
                rows[:, place] = column
        self.grown.add(rows)

    def finished(self) -> NDArray[Any]:
        return self.grown.array((self.grown.length // len(self.names), len(self.names)))


class _Arrays:
    """A column of arrays of one shape."""

    def __init__(self, what: str, name: str) -> None:
        self.what, self.name = what, name
        self.shape: tuple[int, ...] | None = None
        self.grown: Growing | None = None

    def add(self, batch: Any, start: int) -> None:  # noqa: ANN401
        if not batch.num_rows:
            return
        values, shape = self._flat(whole(batch.column(self.name)), start)
        if self.grown is None or self.shape is None:
            self.shape = shape
            self.grown = Growing(values.dtype if values.dtype == np.uint8 else np.float32)
        if shape != self.shape:
            raise self._ragged(start, shape)
        self.grown.add(values)

    def _flat(self, column: Any, start: int) -> tuple[NDArray[Any], tuple[int, ...]]:  # noqa: ANN401
        """All numbers of a batch, and the shape of one array."""
        pa = arrow()
        shape: tuple[int, ...] = ()
        while isinstance(column, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
            if column.null_count:
                raise DataError(f"{self.what}: column {self.name!r} has an empty row from row {start} on; {_MEND}")
            lengths = np.unique(column.value_lengths().to_numpy(zero_copy_only=False))
            if len(lengths) != 1:
                raise self._ragged(start, (*shape, *lengths.tolist()[:2]))
            shape, column = (*shape, int(lengths[0])), column.flatten()
        if column.null_count:
            raise DataError(f"{self.what}: column {self.name!r} has empty values from row {start} on; {_MEND}")
        if column.type == pa.uint8():
            return column.to_numpy(zero_copy_only=False), shape
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False), shape

    def _ragged(self, start: int, shape: Sequence[int]) -> DataError:
        return DataError(
            f"{self.what}: the arrays of column {self.name!r} differ in shape from row {start} on (lengths "
            f"{', '.join(map(str, shape))}); all examples must be alike: cut or pad them"
        )

    def finished(self) -> NDArray[Any]:
        if self.grown is None or self.shape is None:
            return np.zeros((0, 0), np.float32)
        size = int(np.prod(self.shape))
        return self.grown.array((self.grown.length // max(1, size), *self.shape))


class _Pictures:
    """A column of encoded pictures, or of their paths; kept as they are, to be decoded when they are read."""

    def __init__(self, table: Table, name: str) -> None:
        self.table, self.name = table, name
        self.pieces = Pieces()
        self.as_paths: bool | None = None

    def add(self, batch: Any, start: int) -> None:  # noqa: ANN401
        column = whole(batch.column(self.name))
        pa = arrow()
        inside, paths = column, None
        if isinstance(column, pa.StructArray):
            inside, paths = column.field("bytes"), column.field("path")
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            inside, paths = None, column
        if self.as_paths is None and len(column):
            self.as_paths = inside is None or inside.null_count == len(inside)
        chosen = paths if self.as_paths else inside
        values = [] if chosen is None else chosen.to_pylist()
        for row, value in enumerate(values):
            if not value:
                where = f"{self.table.what}: column {self.name!r} of row {start + row}"
                raise DataError(f"{where} holds no picture; {_MEND}")
        self.pieces.add(value if isinstance(value, bytes) else str(value).encode() for value in values)

    def finished(self) -> Files:
        if self.as_paths:
            return Paths(self.table.base or Path(), Texts.of(self.pieces))
        return Blobs(self.table.what, self.pieces)
