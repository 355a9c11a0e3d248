"""Early stopping: which look at validation was the best, and when to wait no longer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """What better means on validation.

    Attributes:
        name: of a value that `evaluate` gives, such as `val/accuracy`.
        higher_is_better: its direction.
        tie: name of a loss that decides between equal values, if there is one.
    """

    name: str
    higher_is_better: bool
    tie: str | None = None

    def better(self, values: Mapping[str, float], than: Mapping[str, float]) -> bool:
        """Whether the first look is a gain over the second; equal looks are none.

        Example:
            >>> goal = Goal("val/accuracy", higher_is_better=True, tie="val/nll")
            >>> goal.better({"val/accuracy": 0.9, "val/nll": 0.4}, {"val/accuracy": 0.9, "val/nll": 0.5})
            True
        """
        return self._rank(values) > self._rank(than)

    def _rank(self, values: Mapping[str, float]) -> tuple[float, float]:
        value = values[self.name] if self.higher_is_better else -values[self.name]
        return _worst_if_nan(value), _worst_if_nan(-values.get(self.tie or "", 0.0))


def best_step(history: Sequence[Mapping[str, Any]], goal: Goal) -> int:
    """The step of the best look; the earliest of equals, 0 where there was none.

    Example:
        >>> rows = [{"step": n, "values": {"loss": v}} for n, v in enumerate([3.0, 1.0, 2.0, 1.0], 1)]
        >>> best_step(rows, Goal("loss", higher_is_better=False))
        2
    """
    best: Mapping[str, Any] | None = None
    for row in history:
        if best is None or goal.better(row["values"], best["values"]):
            best = row
    return 0 if best is None else int(best["step"])


def waited(history: Sequence[Mapping[str, Any]], goal: Goal) -> int:
    """How many looks there were after the best one."""
    best = best_step(history, goal)
    return sum(row["step"] > best for row in history)


def _worst_if_nan(value: float) -> float:
    return -math.inf if math.isnan(value) else value
