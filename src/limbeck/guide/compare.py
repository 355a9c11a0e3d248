"""Stored rows against fresh ones: what must be the same to the last bit, and what within a tolerance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-3
"""Of everything stored as float16 and of sums over classes, relative to 1 + the stored value's size."""
SCALE_TOLERANCE = 1e-2
"""Of an int8 row's scale, relative; its numbers may differ by 1."""
EDGE = 0.01
"""Share of a batch's drawn or top classes that may differ: a last bit turns one that lies on the edge."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Stored against fresh.

    Attributes:
        wrong: rows that differ by more than may be, and how; at most one entry a column.
        exact: rows that are the same to the last bit.
        max_error: largest difference of a number, class indices left out.
    """

    wrong: tuple[tuple[int, str], ...]
    exact: int
    max_error: float


def compare(
    stored: Mapping[str, NDArray[Any]], fresh: Mapping[str, NDArray[Any]], *, same_machine: bool = True
) -> Comparison:
    """Compares encoded rows, column by column.

    Args:
        stored: of a guide.
        fresh: of the same views of the same examples.
        same_machine: float32 logits must be the same to the last bit; else they have the tolerance of float16.
    """
    wrong: list[tuple[int, str]] = []
    same, worst = np.ones(len(next(iter(stored.values()))), dtype=bool), 0.0
    for name, values in stored.items():
        flat, other = (array.reshape(len(same), -1) for array in (values, fresh[name]))
        equal = flat == other
        same &= equal.all(axis=1)
        if name == "index":
            wrong += _indices(flat, other)
            continue
        error = np.where(equal, 0.0, np.abs(flat.astype(np.float64) - other.astype(np.float64)))
        worst = max(worst, float(error.max(initial=0.0)))
        bad = np.flatnonzero((error > _allowed(name, flat, same_machine=same_machine)).any(axis=1))
        if bad.size:
            row = int(bad[0])
            more = f" ({bad.size} rows in this batch)" if bad.size > 1 else ""
            wrong.append((row, f"the stored {name} differ from the teacher's by {error[row].max():.3g}{more}"))
    return Comparison(tuple(wrong), int(same.sum()), worst)


def _allowed(name: str, stored: NDArray[Any], *, same_machine: bool) -> NDArray[np.float64]:
    size = np.abs(np.where(np.isfinite(stored), stored, 0).astype(np.float64))
    if name == "logits" and same_machine:
        return np.zeros_like(size)
    if name.startswith("scale/"):
        return SCALE_TOLERANCE * size
    return np.ones_like(size) if stored.dtype == np.int8 else TOLERANCE * (1 + size)


def _indices(stored: NDArray[Any], fresh: NDArray[Any]) -> list[tuple[int, str]]:
    differ = np.sort(stored, axis=1) != np.sort(fresh, axis=1)
    share = float(differ.mean())
    if share <= EDGE:
        return []
    row = int(np.flatnonzero(differ.any(axis=1))[0])
    return [(row, f"{share:.0%} of the stored classes in this batch are not the teacher's")]
