"""A table as a source: read through once, contents into a spool."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray

from limbeck.core.identity import ids_of_keys, ids_of_rows
from limbeck.data.inputs_column import input_columns
from limbeck.data.label_column import LabelColumn
from limbeck.data.labels import unknown, with_classes
from limbeck.data.layout import check_finite, laid_out
from limbeck.data.memory import ArraySource
from limbeck.data.pictures import PictureSource, chosen, common_shape, without_corrupt
from limbeck.data.reading import Reading
from limbeck.data.roles import Roles, roles
from limbeck.data.source import InputSpec, Source
from limbeck.data.spool import Growing, parked
from limbeck.data.table import Table, arrow, listed, whole
from limbeck.errors import DataError


def read_table(
    table: Table,
    *,
    name: str,
    labelled: bool,
    reading: Reading,
    classes: Sequence[str] | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> Source:
    """Reads a table through once, in order.

    Numbers and arrays lie in a spool; of pictures what they are encoded in (or their paths), to be decoded when read.

    Args:
        table: where the rows come from.
        name: namespace of the ids.
        labelled: whether there must be a column of labels.
        reading: which columns mean what, and how many rows are taken of a stream.
        classes: class names that the user gave.
        size: (height, width) that pictures are resized to.
        channels: 1 or 3, for pictures.

    Raises:
        DataError: columns that are not there or of the wrong kind, empty values, ids that occur twice.
    """
    if table.stream and reading.columns.id is None:
        raise DataError(
            f"{table.what}: a stream has no row numbers that a second pass would find again; name the column that "
            "tells its examples apart (data.columns.id), or give a data set that is no stream"
        )
    meant = roles(table, reading.columns, labelled=labelled)
    inputs = input_columns(table, meant)
    label, identity = meant.columns.label, meant.columns.id
    names = None if label is None else table.classes.get(label)
    labels = LabelColumn(f"{table.what}, column {label!r}", names)
    ids, count = Growing(np.int64), 0
    for batch in _taken(table, meant, reading.take if table.stream else None):
        inputs.add(batch, count)
        if label is not None:
            labels.add(batch.column(label))
        if identity is not None:
            ids.add(_ids(batch.column(identity), name, table, identity, count))
        count += batch.num_rows
    known, named = _finished(labels if label is not None else None, count, classes, name)
    keys = ids_of_rows(name, count) if identity is None else _unique(ids.array(), table, identity)
    source: Source
    contents = inputs.finished()
    notes = _notes(meant, name)
    if isinstance(contents, np.ndarray):
        contents, spec = laid_out(contents, table.what)
        check_finite(contents, table.what)
        return ArraySource(name, spec, named, parked(keys), parked(known), contents, notes, meant.columns)
    kept, more = without_corrupt(contents, name, reading.on_corrupt)
    files = chosen(contents, kept)
    if kept is not None:
        keys, known = keys[kept], known[kept]
    spec = InputSpec("image", common_shape(files, table.what, size, channels) if len(files) else (1, 1, 1), "uint8")
    source = PictureSource(name, spec, named, parked(keys), parked(known), files, size)
    return replace(source, notes=(*notes, *more), columns=meant.columns)


def _taken(table: Table, meant: Roles, most: int | None) -> Iterator[Any]:
    """Batches of the wanted columns, no more rows than are asked for."""
    left = most
    for batch in table.batches(meant.wanted(table)):
        if left is None:
            yield batch
            continue
        yield batch.slice(0, left)
        left -= min(left, batch.num_rows)
        if not left:
            return


def _finished(
    labels: LabelColumn | None, count: int, classes: Sequence[str] | None, name: str
) -> tuple[NDArray[Any], tuple[str, ...]]:
    if labels is None:
        return with_classes(unknown(count), own=None, given=classes, what=name)
    return labels.finished(classes)


def _ids(column: Any, name: str, table: Table, identity: str, start: int) -> Int64[np.ndarray, " n"]:  # noqa: ANN401
    keys = whole(column).cast(arrow().string()).to_pylist()
    empty = next((row for row, key in enumerate(keys, start) if not key), None)
    if empty is not None:
        raise DataError(
            f"{table.what}: the id (column {identity!r}) of row {empty} is empty; give each example its own"
        )
    return ids_of_keys(name, keys)


def _unique(ids: NDArray[Any], table: Table, identity: str) -> NDArray[Any]:
    order = np.argsort(ids, kind="stable")
    again = order[1:][ids[order][1:] == ids[order][:-1]]
    if again.size:
        raise DataError(
            f"{table.what}: {again.size:,} rows have the id of an earlier one (column {identity!r}; first: row "
            f"{int(again.min())}); ids must be unique: name another column in data.columns.id, or none"
        )
    return ids


def _notes(meant: Roles, name: str) -> tuple[str, ...]:
    if not meant.left_out:
        return ()
    used, left = listed(meant.columns.input), listed(meant.left_out)
    what = "column" if len(meant.columns.input) == 1 else f"{len(meant.columns.input)} columns"
    return (f"{name}: inputs are the {what} {used}; not read: {left} (data.columns.input names others)",)
