"""Labels that others made (a teacher behind an API, another team's spreadsheet) as a guide, matched by example."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray

from limbeck.core.identity import file_fingerprint, fingerprint
from limbeck.core.progress import Reporter, Silent
from limbeck.core.signals import Signals
from limbeck.data.source import Source
from limbeck.data.views import Views
from limbeck.errors import DataError
from limbeck.guide.answers import Place
from limbeck.guide.examples import sorted_rows
from limbeck.guide.keys import ids_of_table
from limbeck.guide.manifest import Manifest, TeacherFacts
from limbeck.guide.plan import data_facts, view_facts
from limbeck.guide.spec import SignalSpec
from limbeck.guide.tables import Kind, Table, read_table
from limbeck.guide.write import write_answers

FLOOR = 1e-7
"""Probabilities below are taken for this one: its logarithm is -16.1, that of 0 could not be learnt from."""
SUM_TOLERANCE = 0.02
"""How far a row of probabilities may sum from 1 (rounded spreadsheets); it is then scaled to 1."""
_VERSION = 1
_BATCH_ROWS = 4096


def import_guide(
    file: Path,
    *,
    out: Path,
    source: Source,
    origin: str,
    licence: str | None = None,
    classes: Sequence[str] | None = None,
    key: str | None = None,
    kind: Kind | None = None,
    reporter: Reporter | None = None,
) -> Manifest:
    """Writes a guide from a table of predictions: one view of each example, the raw one.

    Args:
        file: CSV or Parquet with a column a class, named after it, or npz with an array `probabilities` or `logits`.
            Rows about examples that the source does not have are passed over.
        out: the guide's folder.
        source: the examples; every one needs a row.
        origin: who made the labels, and how.
        licence: what they may be used for.
        classes: names of the npz array's columns, in order; by default its array `classes`, or the data's own.
        key: the column or array that says which example a row is about: a relative path, a row number of the data's own
            file (from 0), or a 64-bit example id. `None` looks for a usual name, then takes the rows' own order.
        kind: "logits" where the numbers are such; by default probabilities, or what the npz array is called.
        reporter: is told what was left out.

    Returns:
        The manifest: float32 logarithms of the probabilities, at least 1e-7, or the logits as they are.

    Raises:
        DataError: a missing or double example, NaN, numbers that are no probabilities, classes that cannot be mapped.
    """
    table = read_table(file, key=key, wanted=tuple(source.classes))
    values = _of_classes(table, tuple(source.classes), classes, file)
    kind = kind or table.kind or "probabilities"
    ids, _ = sorted_rows(source)
    rows, unused = _rows_of(table, source, ids, file)
    values = values[rows]
    logits = log_probabilities(values, rows, str(file)) if kind == "probabilities" else _finite(values, rows, str(file))
    shows = reporter or Silent()
    if unused:
        shows.say(f"{file}: {unused:,} rows are about examples that the data do not have; they are left out")
    origins = {"version": _VERSION, "file": file_fingerprint(file), "kind": kind, "classes": list(source.classes)}
    manifest = write_answers(
        out,
        answers=_Written(torch.from_numpy(logits.astype(np.float32))),
        facts=TeacherFacts(
            fingerprint=fingerprint(origins),
            mode="imported",
            classes=tuple(source.classes),
            licence=licence,
            origin=origin,
        ),
        data=data_facts(source),
        views=view_facts(Views(), 1),
        ids=ids,
        spec=SignalSpec(),
        batch_rows=_BATCH_ROWS,
        reporter=shows,
    )
    assert manifest is not None, "one writer writes all shards"
    return manifest


@dataclass(frozen=True, slots=True)
class _Written:
    """Answers that are known already, in the order of the sorted ids."""

    logits: Float[torch.Tensor, "n classes"]

    def __call__(self, places: Iterable[Place]) -> Iterator[Signals]:
        for place in places:
            yield Signals(logits=self.logits[torch.from_numpy(place.ranks)])


def log_probabilities(
    values: Float[np.ndarray, "n classes"], rows: Int[np.ndarray, " n"], what: str
) -> Float[np.ndarray, "n classes"]:
    """Logarithms of probabilities, scaled to sum to 1 and not below `FLOOR`.

    Args:
        values: rows of probabilities.
        rows: their numbers in the file, for messages.
        what: the file, for messages.

    Raises:
        DataError: NaN, numbers outside 0..1, or rows that do not sum to 1 within `SUM_TOLERANCE`.

    Example:
        >>> log_probabilities(np.array([[0.5, 0.49]]), np.array([0]), "x.csv").round(3).tolist()
        [[-0.683, -0.703]]
    """
    _finite(values, rows, what)
    outside = np.flatnonzero(((values < 0) | (values > 1 + SUM_TOLERANCE)).any(axis=1))
    sums = values.sum(axis=1)
    off = np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE)
    if outside.size or off.size:
        bad = int((outside if outside.size else off)[0])
        raise DataError(
            f"{what}: row {int(rows[bad])} is no row of probabilities (smallest {values[bad].min():.4g}, largest "
            f"{values[bad].max():.4g}, sum {sums[bad]:.4g}; expected 0 to 1, summing to 1 within {SUM_TOLERANCE}): "
            "give one column for each class, divide percentages by 100, or say that they are logits (kind: logits)"
        )
    logs: NDArray[np.float64] = np.log(np.maximum(values / sums[:, None], FLOOR))
    return logs


def _finite(
    values: Float[np.ndarray, "n classes"], rows: Int[np.ndarray, " n"], what: str
) -> Float[np.ndarray, "n classes"]:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        raise DataError(
            f"{what}: row {int(rows[bad[0]])} has an empty field, NaN or infinity ({bad.size} such rows); "
            "every example needs a number for every class"
        )
    return values


def _of_classes(
    table: Table, wanted: tuple[str, ...], given: Sequence[str] | None, file: Path
) -> Float[np.ndarray, "n classes"]:
    """The columns of the data's classes, in their order."""
    names = table.names if table.names is not None else tuple(given) if given is not None else wanted
    if len(names) != table.values.shape[1]:
        raise DataError(f"{file}: {table.values.shape[1]} columns for {len(names)} classes; name them all (classes)")
    missing = [name for name in wanted if name not in names]
    if missing or len(set(names)) != len(names):
        raise DataError(
            f"{file}: its classes are {', '.join(map(repr, names[:12]))}, the data's "
            f"{', '.join(map(repr, wanted[:12]))}; each of the data's needs one column of its name"
        )
    return table.values[:, [names.index(name) for name in wanted]]


def _rows_of(table: Table, source: Source, ids: Int[np.ndarray, " n"], file: Path) -> tuple[Int[np.ndarray, " n"], int]:
    """The file's row of each sorted id, and how many rows are about none of them."""
    found = ids_of_table(table, source, ids, file)
    place = np.minimum(np.searchsorted(ids, found), len(ids) - 1)
    ours = np.flatnonzero(ids[place] == found)
    counts = np.bincount(place[ours], minlength=len(ids))
    if (counts > 1).any():
        rank = int(np.flatnonzero(counts > 1)[0])
        rows = ours[place[ours] == rank]
        raise DataError(
            f"{file}: rows {int(rows[0])} and {int(rows[1])} are about the same example{_key(table, int(rows[0]))} "
            f"({int((counts > 1).sum())} such examples); keep one row for each"
        )
    if (counts == 0).any():
        rank = int(np.flatnonzero(counts == 0)[0])
        row = int(np.flatnonzero(source.ids == ids[rank])[0])
        raise DataError(
            f"{file} has no row for {int((counts == 0).sum()):,} of {len(ids):,} examples, among them row {row} of "
            f"{source.name}{_path(source, row)}; every example needs one"
        )
    rows_of_rank = np.empty(len(ids), dtype=np.int64)
    rows_of_rank[place[ours]] = ours
    return rows_of_rank, len(found) - len(ours)


def _key(table: Table, row: int) -> str:
    return "" if table.keys is None else f", {str(table.keys[row])!r}"


def _path(source: Any, row: int) -> str:  # noqa: ANN401 - only folders know paths
    paths = getattr(source, "paths", None)
    return "" if paths is None else f" ({paths[row]})"
