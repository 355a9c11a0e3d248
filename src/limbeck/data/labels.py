"""How labels are read: class indices, -1 where unknown; and class names, which are what labels are compared by."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int32
from numpy.typing import NDArray

from limbeck.errors import DataError

UNKNOWN = -1
_MOST_UNNAMED = 65_536
_INT32 = np.iinfo(np.int32)

Labels = Int32[np.ndarray, " n"]


def unknown(n: int) -> Int32[np.ndarray, " n"]:
    """Labels of `n` examples of which none is known."""
    return np.full(n, UNKNOWN, np.int32)


def label_indices(y: NDArray[Any], what: str) -> tuple[Int32[np.ndarray, " n"], tuple[str, ...] | None]:
    """Class indices as int32, and the class names where `y` is made of text.

    Whole numbers are indices; NaN, `None` and empty text are unknown (-1); text is numbered in sorted order.

    Args:
        y: one label a row, of shape `(n,)` or `(n, 1)`.
        what: where it came from, for messages.

    Raises:
        DataError: more than one number a row, or numbers that are no class indices.

    Example:
        >>> label_indices(np.array(["dog", "cat", ""]), "y")
        (array([ 1,  0, -1], dtype=int32), ('cat', 'dog'))
    """
    if y.ndim > 1 and y.shape[1:] == (1,):
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(
            f"{what}: labels have shape {y.shape}; give one class index a row (of one-hot rows: y.argmax(1))"
        )
    if y.dtype.kind in "biu":
        return _int32(y, what), None
    if y.dtype.kind == "f":
        return _int32(np.where(np.isnan(y), float(UNKNOWN), y), what), None
    if y.dtype.kind in "OUT":
        return _from_text(y, what)
    raise DataError(f"{what}: labels are of type {y.dtype}; give class indices or class names")


def _int32(y: NDArray[Any], what: str) -> Int32[np.ndarray, " n"]:
    wrong = np.flatnonzero((y != np.floor(y)) | (y < _INT32.min) | (y > _INT32.max))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"{what}: label {y[row]} of row {row} is not a class index; give 0, 1, ... (-1 or NaN: unknown)"
        )
    return y.astype(np.int32)


def _from_text(y: NDArray[Any], what: str) -> tuple[Int32[np.ndarray, " n"], tuple[str, ...]]:
    texts = ["" if value is None or value != value else value for value in y.tolist()]  # noqa: PLR0124 - NaN alone differs from itself
    for row, value in enumerate(texts):
        if not isinstance(value, str):
            raise DataError(
                f"{what}: label {value!r} of row {row} is a {type(value).__name__}; give all as text or all as numbers"
            )
    names = tuple(sorted({text for text in texts if text}))
    index = {name: i for i, name in enumerate(names)} | {"": UNKNOWN}
    return np.array([index[text] for text in texts], dtype=np.int32), names


def with_classes(
    labels: Int32[np.ndarray, " n"],
    *,
    own: Sequence[str] | None,
    given: Sequence[str] | None,
    default: Sequence[str] | None = None,
    what: str,
) -> tuple[Int32[np.ndarray, " n"], tuple[str, ...]]:
    """Labels and class names after those that the data carry (`own`) met those that the user `given`.

    Data with names of their own are mapped onto the given ones by name; data without take the given ones, else the
    default ones, else "0", "1", ...

    Raises:
        DataError: a name is missing or stands for two classes, or the labels are too large to be unnamed classes.
    """
    if own is not None:
        distinct(own, what)
        return (labels, tuple(own)) if given is None else (aligned(labels, own, given, what), tuple(given))
    if given is not None or default is not None:
        return labels, tuple(given if given is not None else default or ())
    highest = int(labels.max(initial=UNKNOWN))
    if highest >= _MOST_UNNAMED:
        row = int(labels.argmax())
        raise DataError(
            f"{what}: label {highest} of row {row} looks like a key, not a class; name all classes in data.classes"
        )
    return labels, tuple(map(str, range(highest + 1)))


def distinct(names: Sequence[str], what: str) -> None:
    """Refuses class names that do not tell classes apart.

    Raises:
        DataError: a name stands for two classes.
    """
    composed = [_composed(name) for name in names]
    if len(set(composed)) < len(names):
        twice = next(name for i, name in enumerate(names) if composed[i] in composed[:i])
        raise DataError(f"{what}: class {twice!r} is named twice; give each class its own name")


def _composed(name: str) -> str:
    """The name with accents composed (NFC): one system writes them as one character, another as two."""
    return unicodedata.normalize("NFC", name)


def aligned(
    labels: Int32[np.ndarray, " n"], own: Sequence[str], onto: Sequence[str], what: str
) -> Int32[np.ndarray, " n"]:
    """The same labels as indices into other class names; unknown ones stay unknown.

    Names that look the same are the same, whichever way their accents are written.

    Raises:
        DataError: a class that has examples is missing from `onto`.
    """
    if tuple(own) == tuple(onto):
        return labels
    outside = np.flatnonzero((labels < UNKNOWN) | (labels >= len(own)))
    if outside.size:
        row = int(outside[0])
        raise DataError(f"{what}: label {int(labels[row])} of row {row} has no name among the {len(own)} classes")
    index = {_composed(name): i for i, name in enumerate(onto)}
    used = np.unique(labels[labels >= 0])
    missing = [own[i] for i in used if _composed(own[i]) not in index]
    if missing:
        raise DataError(
            f"{what}: classes that cannot be mapped: {_listed(missing)} have examples here, but training knows only "
            f"{_listed(onto)}; name the classes alike (data.classes), or remove those examples"
        )
    table = np.array([index.get(_composed(name), UNKNOWN) for name in own] + [UNKNOWN], dtype=np.int32)
    mapped: Labels = table[labels]
    return mapped


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
