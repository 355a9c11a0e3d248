"""The verdict: is one arm better than another, by how much, and is that known?

Method and proof: docs/verdict.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, inf, log
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Shaped

from limbeck.errors import InputError
from limbeck.record import Outcome, Role, Verdict
from limbeck.reporting import numbers
from limbeck.studies import wording
from limbeck.studies.interval import LEVEL, Spread, spread
from limbeck.task import Array

MARGIN = 0.005
"""Differences within half a point do not matter, unless stated otherwise beforehand."""
SEEDS = 5
"""Seeds of each arm, unless stated otherwise."""
FEWEST_SEEDS = 3
"""Fewer settle nothing, whatever they say."""
MOST_SEEDS = 1000
"""Where the search for a sufficient number of seeds ends."""
CONDITIONS = (
    "The verdict holds for this teacher, this training set and this budget; seeds and test examples are what was "
    "sampled. The seed that ships was fixed beforehand and is not the best one."
)
"""What every verdict is conditional on, for reports and model cards."""
CONDITIONS_ALONE = CONDITIONS.replace("for this teacher, this training set", "for this training set")
"""Likewise where there is no teacher."""
_AS_EVER: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Contrast:
    """A verdict without its parties; the attributes are those of `Verdict`."""

    outcome: Outcome
    metric: str
    margin: float
    difference: float
    ci95: tuple[float, float] | None
    p_value: float | None
    seeds: int
    seeds_needed: int | None
    sentence: str


def compare(
    arm_scores: Shaped[np.ndarray, "seeds examples"],
    against_scores: Shaped[np.ndarray, "seeds examples"],
    *,
    higher_is_better: bool,
    margin: float = MARGIN,
    metric: str,
    percent: bool,
    arm: Role,
    against: Role,
    called: Mapping[str, str] = _AS_EVER,
) -> Verdict:
    """Judges the mean difference `arm - against`, paired by seed (row) and test example (column).

    Args:
        arm_scores: the primary metric of every test example, one row a seed.
        against_scores: the same seeds and examples of the other arm.
        higher_is_better: the metric's direction.
        margin: differences within it do not matter; in the metric's unit, fixed before the runs, 0 or more.
        metric: its name.
        percent: whether people read the metric in percent, so that differences are points.
        arm: whose verdict it is.
        against: what it is compared with.
        called: role -> what its sentence calls it, where not as ever.

    Returns:
        A verdict with `p_value_holm` left open (see `corrected`).

    Raises:
        InputError: shapes differ, something is not finite, there is nothing to compare, or the margin is negative.

    Example:
        >>> teacherless = np.tile(np.arange(1000) < 900, (5, 1)).astype(float)
        >>> distilled = np.tile(np.arange(1000) < 940, (5, 1)).astype(float)
        >>> print(
        ...     compare(
        ...         distilled,
        ...         teacherless,
        ...         higher_is_better=True,
        ...         metric="accuracy",
        ...         percent=True,
        ...         arm="student",
        ...         against="baseline",
        ...     ).sentence
        ... )
        The distilled student beats the same student without a teacher by 4.0 points (95% interval 2.8 to 5.2, 5 seeds).
    """
    found = contrast(
        arm_scores, against_scores, higher_is_better=higher_is_better, margin=margin, metric=metric, percent=percent,
        arm=called.get(arm, arm), against=called.get(against, against),
    )  # fmt: skip
    return Verdict(arm=arm, against=against, **asdict(found))


def contrast(
    arm_scores: Shaped[np.ndarray, "seeds examples"],
    against_scores: Shaped[np.ndarray, "seeds examples"],
    *,
    higher_is_better: bool,
    margin: float = MARGIN,
    metric: str,
    percent: bool,
    arm: str,
    against: str,
) -> Contrast:
    """As `compare`, for anybody: `arm` and `against` are roles, or what people call them ("the student with dkd").

    Raises:
        InputError: as `compare`.
    """
    _check(arm_scores, against_scores, margin)
    ours, theirs = arm_scores.astype(np.float64), against_scores.astype(np.float64)
    difference = ours - theirs
    seeds, examples = difference.shape
    said = wording.Words(arm, against, metric, percent, higher_is_better, margin, seeds, examples)
    if seeds < 2 or examples < 2:
        mean = float(difference.mean())
        return Contrast(
            outcome="inconclusive", metric=metric, margin=margin, difference=mean, ci95=None, p_value=None, seeds=seeds,
            seeds_needed=SEEDS if examples > 1 else None, sentence=said.unmeasured(mean),
        )  # fmt: skip
    found = spread(difference, binary=_binary(ours) and _binary(theirs))
    # Alike on every example although not every example is alike: it is the same model, and nothing is left to chance.
    same = not difference.any() and float(np.ptp(ours)) > 0
    half = 0.0 if same else found.half_width()
    outcome = judge(found.difference, half, margin=margin, higher_is_better=higher_is_better, seeds=seeds)
    needed = seeds_needed(found, margin) if outcome == "inconclusive" else None
    more = examples_needed(found, margin) if outcome == "inconclusive" and needed is None else None
    return Contrast(
        outcome=outcome,
        metric=metric,
        margin=margin,
        difference=found.difference,
        ci95=(found.difference - half, found.difference + half),
        p_value=1.0 if same else found.p_value(),
        seeds=seeds,
        seeds_needed=needed,
        sentence=said.sentence(outcome, found.difference, half, needed, more),
    )


def judge(difference: float, half: float, *, margin: float, higher_is_better: bool, seeds: int) -> Outcome:
    """The outcome of an interval `difference` +- `half`.

    Args:
        difference: `arm - against`, in the metric's unit.
        half: half the width of the interval, >= 0.
        margin: differences within it do not matter.
        higher_is_better: the metric's direction.
        seeds: of each arm; fewer than 3 settle nothing.

    Returns:
        What may be said of the arm.

    Example:
        >>> judge(0.02, 0.01, margin=0.005, higher_is_better=True, seeds=5)
        'beats'
        >>> judge(0.003, 0.001, margin=0.005, higher_is_better=True, seeds=5)
        'beats-by-less-than-matters'
        >>> judge(0.02, 0.01, margin=0.005, higher_is_better=True, seeds=2)
        'inconclusive'
    """
    if seeds < FEWEST_SEEDS:
        return "inconclusive"
    small = abs(difference) + half <= margin
    if abs(difference) > half:
        if (difference > 0) == higher_is_better:
            return "beats-by-less-than-matters" if small else "beats"
        return "worse-by-less-than-matters" if small else "worse"
    return "no-gain" if small else "inconclusive"


def seeds_needed(found: Spread, margin: float) -> int | None:
    """The least number of seeds at which the interval would settle it, were difference and variances to stay.

    Args:
        found: the difference and its scatter.
        margin: differences within it do not matter.

    Returns:
        At least 3 and more than there are, or `None`: even `MOST_SEEDS` would not, with this test sample.
    """

    def settles(seeds: float) -> bool:
        half = found.half_width(seeds=seeds)
        return abs(found.difference) > half or abs(found.difference) + half <= margin

    low = max(FEWEST_SEEDS, found.seeds + 1)
    high = max(MOST_SEEDS, low)
    if not settles(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle) else (middle + 1, high)
    return low


def examples_needed(found: Spread, margin: float) -> int | None:
    """About how many test examples would settle it, half of the interval's squared width being left to the seeds.

    Args:
        found: the difference and its scatter.
        margin: differences within it do not matter.

    Returns:
        The number, or `None`: the test sample is not what is short, or difference and margin are both exactly 0.
    """
    target = max(abs(found.difference), margin - abs(found.difference))
    if found.half_width(seeds=inf) <= target:
        return None
    if target == 0:
        return None
    sampled = 2 * (1.96 / target) ** 2 * found.own_example_variance
    unseen = -log(LEVEL / 2) / target if found.binary else 0.0
    return ceil(max(sampled, unseen))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p-values that may be read together at one error rate.

    Paper: S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979).

    Args:
        p_values: of the comparisons, 0..1.

    Returns:
        Corrected ones in the same order, 0..1, none smaller than it was.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.arange(len(p_values), 0, -1) * np.asarray(p_values, dtype=np.float64)[order]
    result = np.empty(len(p_values))
    result[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return result.tolist()


def corrected(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Fills `p_value_holm` over all comparisons of a run that have a p-value; the sentence says what may be chance.

    Outcomes stay as they are: the comparison that was named beforehand needs no correction.

    Args:
        verdicts: all comparisons of one run.

    Returns:
        The same verdicts in the same order.
    """
    known = [verdict.p_value for verdict in verdicts if verdict.p_value is not None]
    adjusted = iter(holm(known))
    return [each if each.p_value is None else _with_holm(each, next(adjusted), len(known)) for each in verdicts]


def _with_holm(verdict: Verdict, p_value: float, comparisons: int) -> Verdict:
    sentence = together(verdict.sentence, verdict.outcome, p_value, comparisons)
    return verdict.model_copy(update={"p_value_holm": p_value, "sentence": sentence})


def together(sentence: str, outcome: Outcome, p_value: float, comparisons: int) -> str:
    """The sentence, and whether it may be chance among so many comparisons.

    Args:
        sentence: of one comparison.
        outcome: of the same.
        p_value: after Holm's correction.
        comparisons: how many there are, this one included.
    """
    if outcome in {"no-gain", "inconclusive"} or p_value <= LEVEL:
        return sentence
    chance = f"this may be chance (p = {numbers.p_value(p_value, 2)})"
    return f"{sentence} Read together with {wording.other(comparisons - 1)}, {chance}."


def _binary(scores: Float[np.ndarray, "seeds examples"]) -> bool:
    return bool(((scores == 0) | (scores == 1)).all())


def _check(arm: Array, against: Array, margin: float) -> None:
    if arm.ndim != 2 or arm.shape != against.shape or not arm.size:
        raise InputError(
            f"verdict: scores of shape {arm.shape} against {against.shape}; both must be (seeds, test examples), "
            "the same seeds and examples in the same order"
        )
    if not (np.isfinite(arm).all() and np.isfinite(against).all()):
        raise InputError("verdict: some scores are not finite; look at the training curves of the seeds they came from")
    if not margin >= 0:
        raise InputError(f"verdict: margin is {margin}, but must be 0 or more, in the unit of the metric")
