"""Which columns of a table are inputs, label and id: as the user says, else by name and type."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from limbeck.data.images import SUFFIXES
from limbeck.data.reading import Columns
from limbeck.data.table import Kind, Table, listed, whole
from limbeck.errors import DataError

Inputs = Literal["numbers", "array", "pictures", "paths"]

_LABELS = ("label", "labels", "target", "class", "y")
_NUMBERING = ("", "id", "index", "idx", "unnamed: 0", "__index_level_0__")
"""Names that rows are numbered under: no inputs unless the user says so."""
_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Roles:
    """What the columns of a table are.

    Attributes:
        columns: their names, complete.
        inputs: what the input columns hold; all but numbers have one column.
        left_out: other columns, where the inputs were not named by the user.
    """

    columns: Columns
    inputs: Inputs
    left_out: tuple[str, ...] = ()

    def wanted(self, table: Table) -> dict[str, Kind]:
        """The columns to read, and as what."""
        kinds: dict[str, Kind] = {name: table.kinds[name] for name in self.columns.input}
        if self.columns.label is not None:
            kinds[self.columns.label] = "text"
        if self.columns.id is not None:
            kinds[self.columns.id] = "text"
        return kinds


def roles(table: Table, columns: Columns, *, labelled: bool) -> Roles:
    """Decides what each column is.

    Args:
        table: the table.
        columns: what the user said.
        labelled: whether there must be a label column.

    Raises:
        DataError: a column that is not there, or of the wrong kind; or several that might be meant.
    """
    label = _label(table, columns, labelled=labelled)
    identity = None if columns.id is None else table.need(columns.id, "id")
    for name, key in ((label, "label"), (identity, "id")):
        if name is not None and table.kinds[name] not in ("number", "text"):
            raise DataError(
                f"{table.what}: column {name!r} holds neither numbers nor text; name another in data.columns.{key}"
            )
    if columns.input:
        names = tuple(table.need(name, "input") for name in columns.input)
        if label in names:
            raise DataError(f"{table.what}: column {label!r} is the label and an input; take it out of one of both")
        return Roles(Columns(label, names, identity), _inputs(table, names))
    others = [name for name in table.kinds if name not in (label, identity) and name.lower() not in _NUMBERING]
    names = _default_inputs(table, others)
    inputs = _inputs(table, names)
    left_out = tuple(name for name in table.kinds if name not in (*names, label, identity))
    return Roles(Columns(label, names, identity), inputs, left_out)


def _label(table: Table, columns: Columns, *, labelled: bool) -> str | None:
    if columns.label is not None:
        if labelled or columns.label in table.kinds:
            return table.need(columns.label, "label")
        return None
    by_name = {name.lower(): name for name in reversed(list(table.kinds))}
    found = next((by_name[word] for word in _LABELS if word in by_name), None)
    if found is None and len(table.classes) == 1:
        found = next(iter(table.classes))
    if found is None and labelled:
        raise DataError(
            f"{table.what}: no column is called {', '.join(_LABELS[:-1])} or {_LABELS[-1]}; say which of "
            f"{listed(table.kinds)} is the label: data.columns: {{label: NAME}}"
        )
    return found


def _default_inputs(table: Table, others: Sequence[str]) -> tuple[str, ...]:
    """The one column of pictures or of their paths, else all columns of numbers, else the one of arrays."""
    for kind in ("picture", "path"):
        found = [name for name in others if table.kinds[name] == kind] if kind == "picture" else _paths(table, others)
        if len(found) > 1:
            raise DataError(
                f"{table.what}: {len(found)} columns of pictures: {listed(found)}; name one in data.columns.input"
            )
        if found:
            return (found[0],)
    numbers = tuple(name for name in others if table.kinds[name] == "number")
    arrays = [name for name in others if table.kinds[name] == "array"]
    if numbers or len(arrays) == 1:
        return numbers or (arrays[0],)
    raise DataError(
        f"{table.what}: no column of numbers, pictures or paths of pictures among {listed(others) or 'none'}; text "
        "must be encoded as numbers first, and arrays be named in data.columns.input"
    )


def _inputs(table: Table, names: Sequence[str]) -> Inputs:
    kinds = {table.kinds[name] for name in names}
    if kinds == {"number"}:
        return "numbers"
    if len(names) == 1 and kinds <= {"picture", "array"}:
        return "array" if kinds == {"array"} else "pictures"
    if len(names) == 1 and _paths(table, names):
        return "paths"
    wrong = next(name for name in names if table.kinds[name] != "number")
    what = {"text": "text", "other": "no numbers"}.get(table.kinds[wrong], f"a column of {table.kinds[wrong]}s")
    mend = "one column of pictures or arrays stands alone" if len(names) > 1 else "or give paths of pictures"
    raise DataError(
        f"{table.what}: the input column {wrong!r} holds {what}; encode it as numbers (a column a value, or a number "
        f"a rank) or leave it out of data.columns.input; {mend}"
    )


def _paths(table: Table, names: Sequence[str]) -> list[str]:
    """Columns of text whose first values all end as pictures do."""
    texts: dict[str, Kind] = {name: "text" for name in names if table.kinds[name] == "text"}
    batch = next(iter(table.batches(texts)), None) if texts else None
    if batch is None:
        return []
    found = []
    for name in texts:
        values = [value for value in whole(batch.column(name))[:_LOOKED_AT].to_pylist() if value]
        if values and all(PurePath(value).suffix.lower() in SUFFIXES for value in values):
            found.append(name)
    return found
