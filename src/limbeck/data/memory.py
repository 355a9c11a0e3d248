"""`ArraySource`: a source over one array, in memory or mapped from a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from limbeck.core.identity import ids_of_rows
from limbeck.data.contents import content_fingerprint
from limbeck.data.labels import label_indices, unknown, with_classes
from limbeck.data.layout import check_finite, laid_out
from limbeck.data.reading import Columns
from limbeck.data.source import InputSpec
from limbeck.data.spool import parked
from limbeck.errors import DataError


@dataclass(eq=False)
class ArraySource:
    """One row of `contents` an example.

    Attributes:
        name: namespace of the ids.
        spec: what one example is.
        classes: class names.
        ids: example ids.
        labels: class indices.
        contents: of shape `(n, *spec.shape)` and any numeric type; rows are cast to `spec.dtype` when they are read.
        notes: what the user should know: columns that were left out.
        columns: of the table that they came from, if they did.
    """

    name: str
    spec: InputSpec
    classes: Sequence[str]
    ids: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]
    contents: NDArray[Any]
    notes: tuple[str, ...] = ()
    columns: Columns | None = None

    def __len__(self) -> int:
        return len(self.contents)

    def read(self, rows: Int[np.ndarray, " b"]) -> NDArray[Any]:
        """A copy of these rows."""
        return np.ascontiguousarray(self.contents[rows], dtype=self.spec.dtype)

    def fingerprint(self) -> str:
        """SHA-256 over contents, ids and labels; computed once."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return content_fingerprint(self)


def from_arrays(
    x: NDArray[Any],
    y: NDArray[Any] | None,
    *,
    name: str,
    classes: Sequence[str] | None = None,
    own_classes: Sequence[str] | None = None,
    default_classes: Sequence[str] | None = None,
) -> ArraySource:
    """A source of arrays `(x, y)`; the arrays are kept, not copied.

    Args:
        x: inputs, see `layout.laid_out`.
        y: labels, see `labels.label_indices`; `None`: all unknown.
        name: namespace of the ids.
        classes: class names that the user gave.
        own_classes: class names that the data carry.
        default_classes: names where neither the user nor the data give any.

    Raises:
        DataError: inputs or labels that cannot be read as such, or not as many of one as of the other.

    Example:
        >>> str(from_arrays(np.zeros((2, 8, 8), np.uint8), np.array([0, 1]), name="two/train").spec)
        'uint8 image, 1 x 8 x 8'
    """
    contents, spec = laid_out(x, name)
    check_finite(contents, name)
    if y is None:
        labels, text_classes = unknown(len(contents)), None
    else:
        labels, text_classes = label_indices(y, name)
    if len(labels) != len(contents):
        raise DataError(
            f"{name}: {len(contents)} inputs but {len(labels)} labels; give one label an input (-1: unknown)"
        )
    own = text_classes if text_classes is not None else own_classes
    labels, names = with_classes(labels, own=own, given=classes, default=default_classes, what=name)
    return ArraySource(name, spec, names, parked(ids_of_rows(name, len(contents))), parked(labels), contents)
