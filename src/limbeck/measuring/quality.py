"""Quality on labelled examples: means over examples with 95% intervals."""

from math import inf

import numpy as np
from jaxtyping import Float, Int
from scipy.special import stdtrit

from limbeck.errors import DataError
from limbeck.record import Estimate
from limbeck.task import RANGES, Array, Task

_Z = 1.959963984540054
"""Quantile of the normal distribution at 97.5%."""


def estimate(per_example: Float[np.ndarray, " n"], within: tuple[float, float] = (-inf, inf)) -> Estimate:
    """The mean of scores with its 95% interval over test examples; seeds are not in it (see `studies.verdict`).

    Scores that are all 0 or 1 get Wilson's interval, which stays within 0..1 and is no point at 0 or 1 (E. B. Wilson,
    "Probable inference", JASA 22, 1927); others Student's t interval of the mean, which one example does not have.

    Args:
        per_example: one score an example.
        within: what the measure can be at all; the interval is cut there.

    Returns:
        Mean and interval.

    Raises:
        DataError: there are no scores.

    Example:
        >>> found = estimate(np.array([1.0, 1.0, 1.0, 0.0]))
        >>> found.value, [round(end, 3) for end in found.ci95]
        (0.75, [0.301, 0.954])
    """
    if per_example.size == 0:
        raise DataError("quality: there are no examples to measure on; give a split with at least one labelled example")
    scores = per_example.astype(np.float64)
    mean = float(scores.mean())
    if ((scores == 0) | (scores == 1)).all():
        return Estimate(value=mean, ci95=_wilson(mean, scores.size))
    if scores.size == 1:
        return Estimate(value=mean)
    half = float(stdtrit(scores.size - 1, 0.975) * scores.std(ddof=1) / scores.size**0.5)
    return Estimate(value=mean, ci95=(max(mean - half, within[0]), min(mean + half, within[1])))


def quality(task: Task, logits: Float[np.ndarray, "n *outputs"], target: Int[np.ndarray, " n"]) -> dict[str, Estimate]:
    """Every score of the task on the labelled rows, by name; empty where no row is labelled.

    Args:
        task: says what the scores are.
        logits: one row an example.
        target: class indices; negative where unknown.

    Returns:
        Estimates by the score's name.

    Raises:
        DataError: the numbers of rows differ.
    """
    check_rows(logits, target)
    known = np.flatnonzero(target >= 0)
    if not known.size:
        return {}
    scores = task.scores(logits[known], target[known])
    return {name: estimate(rows, RANGES.get(name, (-inf, inf))) for name, rows in scores.items()}


def check_rows(logits: Float[np.ndarray, "n *outputs"], other: Array) -> None:
    """Refuses logits that are not row for row about the same examples.

    Args:
        logits: one row an example.
        other: what they are compared with.

    Raises:
        DataError: the numbers of rows differ.
    """
    if len(logits) != len(other):
        raise DataError(
            f"{len(logits)} rows of logits, but {len(other)} of what they are compared with; both must be about "
            "the same examples in the same order"
        )


def _wilson(share: float, n: int) -> tuple[float, float]:
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * (share * (1 - share) / n + _Z**2 / (4 * n**2)) ** 0.5
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))  # rounding never leaves it out
