"""From a row as people write it (numbers in order, or by name) to the array that a student takes."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limbeck.bundle.asked import expected
from limbeck.bundle.config import InputConfig
from limbeck.core.numbers import is_number
from limbeck.errors import DataError

_MOST = 255
_SHOWN = 5


def array_of(values: Any, spec: InputConfig, where: str) -> NDArray[Any]:  # noqa: ANN401 - whatever a file holds
    """Numbers, nested or flat, as one example.

    Args:
        values: a (nested) list of numbers, or of text that spells numbers.
        spec: what the student takes.
        where: file and line, for messages.

    Returns:
        Of shape `spec.shape` and type `spec.dtype`.

    Raises:
        DataError: not numbers, not that many, not finite, or no whole numbers 0..255 where pixels are wanted.

    Example:
        >>> array_of(["1", "2.5"], InputConfig(kind="array", shape=(2,), dtype="float32"), "rows.csv, line 2")
        array([1. , 2.5], dtype=float32)
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f"{where}: {_culprit(values)}; this student takes {expected(spec)}") from error
    if not _fits(array.shape, spec):
        came = " x ".join(map(str, array.shape)) or "1"
        raise DataError(f"{where}: {came} numbers; this student takes {expected(spec)}")
    if not np.isfinite(array).all():
        raise DataError(f"{where}: NaN, infinity or nothing where a number should be")
    if spec.dtype == "uint8" and ((array < 0) | (array > _MOST) | (array != np.floor(array))).any():
        raise DataError(f"{where}: pixels must be whole numbers from 0 to {_MOST}")
    with np.errstate(over="ignore"):
        cast = array.astype(spec.dtype).reshape(spec.shape)
    if not np.isfinite(cast).all():
        raise DataError(f"{where}: a number too large for {spec.dtype}")
    return cast


def is_example(value: Any, spec: InputConfig) -> bool:  # noqa: ANN401 - any JSON value
    """Whether a JSON value is one example rather than a list of them."""
    if not isinstance(value, list):
        return True
    if not any(isinstance(each, list | dict) for each in value):
        return not all(isinstance(each, str) for each in value)
    try:
        return _fits(np.asarray(value, dtype=np.float64).shape, spec)
    except (ValueError, TypeError):
        return False


def by_name(values: Mapping[str, Any], names: Sequence[str], where: str) -> list[Any]:
    """The values of these names, in their order.

    Raises:
        DataError: one is missing.

    Example:
        >>> by_name({"b": 2, "a": 1, "label": 0}, ("a", "b"), "row 0")
        [1, 2]
    """
    missing = [name for name in names if name not in values]
    if missing:
        shown = ", ".join(missing[:_SHOWN]) + (" and more" if len(missing) > _SHOWN else "")
        raise DataError(f"{where}: lacks {shown}; it has {', '.join(list(values)[:_SHOWN]) or 'nothing'}")
    return [values[name] for name in names]


def _fits(shape: tuple[int, ...], spec: InputConfig) -> bool:
    """The same shape, flat, or grey without its channel."""
    return shape in (spec.shape, (prod(spec.shape),)) or (spec.shape[0] == 1 and shape == spec.shape[1:])


def _culprit(values: Any) -> str:  # noqa: ANN401
    if isinstance(values, Sequence) and not isinstance(values, str):
        for each in values:
            if isinstance(each, str) and not is_number(each):
                return f"{each!r} is no number" if each.strip() else "a number is missing"
        return "rows of different lengths, or what is no number"
    return f"{values!r} is no row of numbers"
