"""A column of labels, read batch after batch: class names or whole numbers, known in full only at its end."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from jaxtyping import Int32
from numpy.typing import NDArray

from limbeck.data.labels import UNKNOWN, with_classes
from limbeck.data.spool import Growing
from limbeck.data.table import whole
from limbeck.errors import DataError

_MOST = 65_536
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.0+)?")
_NUMBER = re.compile(r"-?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?")


class LabelColumn:
    """Labels as they come.

    Args:
        what: table and column, for messages.
        names: class names that the table has for the column's numbers.
    """

    def __init__(self, what: str, names: Sequence[str] | None = None) -> None:
        self.what, self.names = what, names
        self._codes = Growing(np.int32)
        self._index: dict[Any, int] = {}

    def add(self, column: Any) -> None:  # noqa: ANN401 - an Arrow column
        """Takes the labels of one batch.

        Raises:
            DataError: too many different ones.
        """
        array = whole(column)
        if hasattr(array, "dictionary_decode"):  # which may list values that no row has
            array = array.dictionary_decode()
        encoded = array.dictionary_encode()
        values = encoded.dictionary.to_pylist()
        table = np.array([*(self._code(value) for value in values), UNKNOWN], dtype=np.int32)
        codes = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
        self._codes.add(table[codes])
        if len(self._index) > _MOST:
            raise DataError(f"{self.what}: more than {_MOST:,} different labels, so it is no column of classes")

    def _code(self, value: Any) -> int:  # noqa: ANN401
        if value is None or value == "" or value != value:  # noqa: PLR0124 - NaN alone differs from itself
            return UNKNOWN
        if isinstance(value, bool):
            value = str(value)
        return self._index.setdefault(value, len(self._index))

    def finished(self, given: Sequence[str] | None) -> tuple[Int32[np.ndarray, " n"], tuple[str, ...]]:
        """All labels as class indices, and the class names.

        Text is sorted by name. Whole numbers index the class names that the table or the user has; where there are
        none, or these are numbers themselves, each number is the name of its class. "nan" among them is unknown.

        Args:
            given: class names that the user gave.

        Raises:
            DataError: numbers that are not whole, or classes that cannot be mapped.
        """
        values = list(self._index)
        numbers = [_whole(value) for value in values]
        lost = [isinstance(value, str) and value.lower() == "nan" for value in values]
        if all(number is not None or nan for number, nan in zip(numbers, lost, strict=True)):
            numbers = [UNKNOWN if number is None else number for number in numbers]
        own: tuple[str, ...] | None
        if not values or None in numbers:
            self._refuse_fractions(values)
            texts = [str(value) for value in values]
            own = tuple(sorted(set(texts)))
            meant = [own.index(text) for text in texts]
        else:
            known = [number for number in numbers if number is not None]
            own, meant = self._numbered(known, given)
        table = np.array([*meant, UNKNOWN], dtype=np.int32)
        codes: NDArray[Any] = self._codes.array()
        labels = table[codes] if len(codes) else np.zeros(0, np.int32)
        if not values:
            return labels, tuple(given or self.names or ())
        return with_classes(labels, own=own, given=given, what=self.what)

    def _numbered(self, numbers: list[int], given: Sequence[str] | None) -> tuple[tuple[str, ...] | None, list[int]]:
        low, high = min(numbers), max(numbers)
        if low < UNKNOWN or high > np.iinfo(np.int32).max:
            raise DataError(f"{self.what}: label {low if low < UNKNOWN else high} is no class; give -1 where unknown")
        if self.names is not None:
            if high >= len(self.names):
                raise DataError(f"{self.what}: label {high} has no name among the {len(self.names)} classes")
            return tuple(self.names), numbers
        if given is not None and not any(_whole(name) is not None for name in given):
            return None, numbers
        distinct = sorted(number for number in set(numbers) if number != UNKNOWN)
        place = {number: index for index, number in enumerate(distinct)} | {UNKNOWN: UNKNOWN}
        return tuple(map(str, distinct)), [place[number] for number in numbers]

    def _refuse_fractions(self, values: Sequence[Any]) -> None:
        wrong = [v for v in values if _whole(v) is None]
        if wrong and all(isinstance(v, float) or _NUMBER.fullmatch(str(v)) for v in values):
            raise DataError(
                f"{self.what}: {wrong[0]} is no class: labels are class names or whole numbers; put values into "
                "classes first"
            )


def _whole(value: Any) -> int | None:  # noqa: ANN401
    """The whole number that a label is, if it is one."""
    if isinstance(value, str):
        return int(value.partition(".")[0]) if _WHOLE.fullmatch(value) else None
    return int(value) if isinstance(value, int | float | Decimal) and float(value).is_integer() else None
