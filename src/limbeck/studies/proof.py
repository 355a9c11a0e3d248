"""The proof of the verdict: how often it errs when the truth is known, on simulated runs and on real ones.

In an A/A comparison both arms are the same baseline, so every *beats* and every *worse* is a false alarm.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtri

from limbeck.errors import InputError
from limbeck.record import Outcome
from limbeck.studies.verdict import MARGIN, SEEDS, compare
from limbeck.task import Array, Metric, Task

Pair = tuple[Array, Array]


@dataclass(frozen=True, slots=True)
class Rates:
    """How often each outcome came up.

    Attributes:
        comparisons: how many were made.
        outcomes: how many ended so.
        covered: share of intervals that held the true difference; `None` where it is unknown.
    """

    comparisons: int
    outcomes: dict[Outcome, int]
    covered: float | None = None

    @property
    def beats(self) -> float:
        """Share that said *beats*, by more or less than matters, 0..1."""
        return self._share("beats", "beats-by-less-than-matters")

    @property
    def worse(self) -> float:
        """Share that said *worse*, by more or less than matters, 0..1."""
        return self._share("worse", "worse-by-less-than-matters")

    @property
    def no_gain(self) -> float:
        """Share that said *no gain*, 0..1."""
        return self._share("no-gain")

    def _share(self, *names: Outcome) -> float:
        return sum(self.outcomes.get(name, 0) for name in names) / self.comparisons


@dataclass(frozen=True, slots=True)
class World:
    """Two arms of simulated classifiers whose true accuracies are known.

    Seed `s` answers example `i` rightly where `level + easy[i] + own[i] + shift[s] + noise[s, i] > 0`, all normal
    (a probit model with crossed random effects).

    Attributes:
        examples: in the test sample, drawn anew for every comparison.
        accuracy: of `against`, 0..1.
        gain: what the arm's accuracy is higher by, -1..1.
        seed_sd: of a seed's true accuracy, in accuracy (0.005 = half a point); each arm has seeds of its own.
        easy_sd: of the difficulty both arms share, against a `noise` of 1; at 2, two seeds at 95% differ on 5%.
        own_sd: of what is easy for one arm only, whatever the seed; 0 makes the arms the same kind of model.
    """

    examples: int
    accuracy: float
    gain: float = 0.0
    seed_sd: float = 0.005
    easy_sd: float = 2.0
    own_sd: float = 0.0

    def draw(self, rng: np.random.Generator, seeds: int) -> tuple[Bool[np.ndarray, "s n"], Bool[np.ndarray, "s n"]]:
        """Right answers of the arm and of what it is compared with, one row a seed."""
        easy = self.easy_sd * rng.standard_normal(self.examples, dtype=np.float32)
        arm = self._arm(rng, seeds, easy, self.accuracy + self.gain)
        return arm, self._arm(rng, seeds, easy, self.accuracy)

    def _arm(
        self, rng: np.random.Generator, seeds: int, easy: Float[np.ndarray, " n"], accuracy: float
    ) -> Bool[np.ndarray, "s n"]:
        scale = (1 + self.easy_sd**2 + self.own_sd**2) ** 0.5
        quantile = float(ndtri(accuracy))
        slope = np.exp(-(quantile**2) / 2) / (2 * np.pi) ** 0.5 / scale  # accuracy per unit of level
        shift = self.seed_sd / slope * rng.standard_normal((seeds, 1), dtype=np.float32)
        # A normal shift lowers the mean accuracy a little; the level makes up for it.
        level = np.float32(quantile * (scale**2 + (self.seed_sd / slope) ** 2) ** 0.5)
        own = self.own_sd * rng.standard_normal(self.examples, dtype=np.float32)
        noise = rng.standard_normal((seeds, self.examples), dtype=np.float32)
        return np.asarray(level + easy + own + shift + noise > 0)


def simulated(
    world: World | Callable[[np.random.Generator], World],
    *,
    comparisons: int = 200,
    seeds: int = SEEDS,
    margin: float = MARGIN,
    seed: int = 0,
) -> Rates:
    """Verdicts on simulated arms.

    Args:
        world: what is simulated, or a function that draws one for every comparison.
        comparisons: how many verdicts.
        seeds: of each arm.
        margin: as for `compare`.
        seed: of the simulation.

    Returns:
        Rates, with the share of intervals that hold the planted gain.
    """
    rng = np.random.default_rng(seed)
    worlds = [world if isinstance(world, World) else world(rng) for _ in range(comparisons)]
    pairs = (one.draw(rng, seeds) for one in worlds)
    return _rates(pairs, Metric("accuracy", higher_is_better=True, percent=True), margin, [one.gain for one in worlds])


def scores_of(
    task: Task, logits: Float[np.ndarray, "runs n classes"], target: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "runs labelled"]:
    """The primary metric of each run on each labelled example, for `compare` and `real`."""
    known = np.flatnonzero(target >= 0)
    return np.stack([task.scores(run[known], target[known])[task.metric.name] for run in logits])


def real(
    scores: Float[np.ndarray, "runs n"],
    metric: Metric,
    *,
    gain: float = 0.0,
    comparisons: int = 200,
    seeds: int = SEEDS,
    margin: float = MARGIN,
    seed: int = 0,
) -> Rates:
    """A/A verdicts on real runs of one recipe that differ in their seed only.

    Each comparison draws two groups of `seeds` runs, no run twice, so more runs make the comparisons less alike:
    40 are a good number.

    Args:
        scores: from `scores_of`.
        metric: the task's.
        gain: planted by adding it to the arm's scores, in the metric's unit; 0 is A/A.
        comparisons: how many verdicts.
        seeds: of each arm.
        margin: as for `compare`.
        seed: of the drawing.

    Returns:
        Rates, whose `covered` is `None`.

    Raises:
        InputError: there are fewer runs than two arms need.
    """
    if len(scores) < 2 * seeds:
        raise InputError(f"A/A: {len(scores)} runs are not enough for two arms of {seeds}; give at least {2 * seeds}")
    rng = np.random.default_rng(seed)
    draws = (rng.permutation(len(scores))[: 2 * seeds] for _ in range(comparisons))
    pairs = ((scores[rows[:seeds]] + gain, scores[rows[seeds:]]) for rows in draws)
    return _rates(pairs, metric, margin, None)


def _rates(pairs: Iterator[Pair], metric: Metric, margin: float, truth: list[float] | None) -> Rates:
    outcomes: Counter[Outcome] = Counter()
    covered = 0
    for index, (arm, against) in enumerate(pairs):
        verdict = compare(
            arm,
            against,
            higher_is_better=metric.higher_is_better,
            margin=margin,
            metric=metric.name,
            percent=metric.percent,
            arm="student",
            against="baseline",
        )
        outcomes[verdict.outcome] += 1
        if truth is not None and verdict.ci95 is not None:
            covered += verdict.ci95[0] <= truth[index] <= verdict.ci95[1]
    count = outcomes.total()
    return Rates(count, dict(outcomes), None if truth is None else covered / count)
