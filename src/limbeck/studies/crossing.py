"""Where one side reaches another: the least share, or number of steps, at which it is as good, with its interval.

The interval inverts those of the differences: it runs from the first place at which the difference may be zero to the
first at which it is known not to be behind. Where one side is barely better than the other it has no end, however many
seeds there are; `enough` answers then: from there on, the first is known to be behind by no more than a margin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from limbeck.studies.compared import as_good
from limbeck.studies.record import Comparison


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a difference first is no longer behind; `None` stands for "nowhere among the points".

    Attributes:
        at: of the mean difference.
        low: of the interval's better end: before it, the difference is known to be behind.
        high: of the interval's worse end: from it on, it is known not to be behind.
        first: the first point; at it, a crossing may lie before.
        enough: the first point from which on the difference is known to be behind by less than the margin.
        interval: whether there is one; a single seed shows none, and then `low`, `high` and `enough` mean nothing.
    """

    at: float | None
    low: float | None
    high: float | None
    first: float
    enough: float | None = None
    interval: bool = True

    def words(self, unit: str) -> str:
        """The place and its interval in words.

        Args:
            unit: "% of the labels", " steps", ...

        Example:
            >>> Crossing(30.0, 10.0, None, 1.0).words("% of the labels")
            '30% of the labels (95% interval: 10 or more)'
            >>> Crossing(None, None, None, 1.0).words(" steps")
            'not reached, and no 95% interval allows it'
        """
        if not self.interval:
            where = "not reached" if self.at is None else f"{_shown(self.at)}{unit}"
            return f"{where} (one seed shows no interval)"
        if self.at is None:
            if self.low is None:
                return "not reached, and no 95% interval allows it"
            return f"not reached by the mean; the 95% interval allows {_shown(self.low)}{unit} or more"
        place = f"{_shown(self.at)}{unit}{' or less' if self.at <= self.first else ''}"
        return f"{place} (95% interval: {self._interval()})"

    def enough_words(self, unit: str, margin: str) -> str:
        """From where on it is known to be as good within the margin.

        Args:
            unit: as in `words`.
            margin: "0.5 points".

        Example:
            >>> Crossing(30.0, 10.0, None, 1.0, 50.0).enough_words("% of the labels", "0.5 points")
            'from 50% of the labels on it is known to be behind by less than 0.5 points'
        """
        if self.enough is None:
            return f"nowhere is it known to be behind by less than {margin}"
        return f"from {_shown(self.enough)}{unit} on it is known to be behind by less than {margin}"

    def bounds(self, last: float) -> tuple[float | None, float | None]:
        """The interval's ends as numbers; `None` is an open end.

        Args:
            last: the last point; who is known to be behind at all of them gets there after it, if ever.

        Example:
            >>> Crossing(30.0, 10.0, None, 1.0).bounds(100.0), Crossing(None, None, None, 1.0).bounds(100.0)
            ((10.0, None), (100.0, None))
            >>> Crossing(1.0, 1.0, 5.0, 1.0).bounds(100.0)
            (None, 5.0)
        """
        if not self.interval:
            return (None, None)
        low = last if self.low is None else self.low
        return (low if low > self.first else None, self.high)

    def _interval(self) -> str:
        low = self.low if self.low is not None and self.low > self.first else None
        if self.high is not None and self.high <= self.first:
            return f"{_shown(self.first)} or less"
        if self.high is None:
            return "anything" if low is None else f"{_shown(low)} or more"
        return f"{_shown(self.high)} or less" if low is None else f"{_shown(low)} to {_shown(self.high)}"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def crossing(
    places: Sequence[float], differences: Sequence[Comparison], *, higher_is_better: bool, margin: float = 0.0
) -> Crossing:
    """Where differences, given at places in ascending order, first reach zero.

    Args:
        places: above 0; between them the logarithm is interpolated.
        differences: of each place, from what is to be reached.
        higher_is_better: the metric's direction.
        margin: how far behind counts as no worse, in the metric's own unit; stated beforehand.

    Returns:
        The place of the mean and of both ends of its interval.
    """
    sign = 1 if higher_is_better else -1
    at = reached(places, [sign * each.difference for each in differences])
    ends = [sorted(sign * end for end in each.ci95) for each in differences if each.ci95 is not None]
    if len(ends) < len(differences):
        return Crossing(at, None, None, places[0], interval=False)
    no_worse = [as_good(each, margin, higher_is_better=higher_is_better) for each in differences]
    return Crossing(
        at, reached(places, [high for _, high in ends]), reached(places, [low for low, _ in ends]), places[0],
        _from_there_on(places, no_worse),
    )  # fmt: skip


def _from_there_on(places: Sequence[float], holds: Sequence[bool]) -> float | None:
    """The first place of the last unbroken stretch; places between points are not known of, so none is interpolated."""
    found = None
    for place, held in zip(places, holds, strict=True):
        found = (place if found is None else found) if held else None
    return found


def reached(places: Sequence[float], values: Sequence[float]) -> float | None:
    """The first place at which values, interpolated over the logarithm of the place, are at least 0.

    Args:
        places: ascending, above 0.
        values: one a place.

    Example:
        >>> round(reached([1, 10, 100], [-2, -1, 1]), 2), reached([1, 10], [0, 1]), reached([1, 10], [-2, -1])
        (31.62, 1, None)
    """
    for number, (place, value) in enumerate(zip(places, values, strict=True)):
        if value < 0:
            continue
        if number == 0:
            return place
        before, start = values[number - 1], log(places[number - 1])
        return exp(start + (log(place) - start) * (0 - before) / (value - before))
    return None
