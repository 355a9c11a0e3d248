"""The interval of a paired difference that varies between seeds and between test examples (see docs/verdict.md).

Of `D[s, i]`, the difference of seed `s` on example `i`, the grand mean has the variance
`seeds/S + examples/n + both/(S n)` (two crossed random effects). The half-width squares and adds the two parts, each
with its own quantile: `h^2 = t(S-1)^2 V_seeds + t(n-1)^2 V_examples`.

Paper: S. K. Banerjee, "Approximate confidence interval for linear functions of means of k populations when the
population variances are not equal", Sankhya 22 (1960): such a sum covers at least as often as it says.
"""

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import stdtrit

LEVEL = 0.05
"""One minus the confidence of every interval."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What is known of a difference and its scatter, in squared units of the metric.

    Attributes:
        difference: mean over seeds and examples.
        seeds: how many.
        examples: how many.
        seed_variance: variance between the seeds' means; holds a share of the examples' noise.
        example_variance: variance between the examples' means; holds a share of the seeds' noise.
        residual_variance: what neither seed nor example explains, for one seed on one example.
        binary: whether all scores are 0 or 1, so that examples not drawn may still hold a difference.
    """

    difference: float
    seeds: int
    examples: int
    seed_variance: float
    example_variance: float
    residual_variance: float
    binary: bool

    def half_width(self, level: float = LEVEL, *, seeds: float | None = None) -> float:
        """Half the width of the interval at confidence `1 - level`, here or with another number of seeds.

        Args:
            level: 0..1.
            seeds: as if there were this many, with the variances as they are; infinity is allowed.

        Returns:
            In the metric's unit; 0 where nothing scatters.
        """
        count = self.seeds if seeds is None else seeds
        # stdtrit wants finite degrees of freedom; at 1e12 it is the normal quantile to all digits.
        t_seeds = float(stdtrit(min(count - 1, 1e12), 1 - level / 2))
        t_examples = float(stdtrit(self.examples - 1, 1 - level / 2))
        own = self.own_example_variance
        both = t_seeds**2 * self.seed_variance / count + t_examples**2 * own / self.examples
        sample = t_examples**2 * (own + self._shared_noise / count) / self.examples
        return max(sqrt(both), sqrt(sample), self.resolution(level))

    @property
    def own_example_variance(self) -> float:
        """Variance between examples that more seeds would not average away; never negative."""
        return max(self.example_variance - self.residual_variance / self.seeds, 0.0)

    @property
    def _shared_noise(self) -> float:
        return (self.example_variance - self.own_example_variance) * self.seeds

    def resolution(self, level: float = LEVEL) -> float:
        """The least difference that `examples` right-or-wrong answers can exclude.

        If no drawn example tells two models apart, up to `-ln(level / 2) / n` of the undrawn ones may (the "rule of
        three", Hanley & Lippman-Hand 1983). Zero for other scores.
        """
        return -log(level / 2) / self.examples if self.binary else 0.0

    def p_value(self) -> float:
        """The level at which the interval just touches 0."""
        distance = abs(self.difference)
        if distance == 0 or self.half_width(1.0) >= distance:
            return 1.0
        lowest = 1e-12
        if self.half_width(lowest) <= distance:
            return lowest
        return exp(brentq(lambda x: self.half_width(exp(x)) - distance, log(lowest), 0.0, xtol=1e-6))


def spread(difference: Float[np.ndarray, "seeds examples"], *, binary: bool) -> Spread:
    """Splits the scatter of a paired difference into seeds, examples and the rest (two-way analysis of variance).

    Args:
        difference: at least 2 seeds and 2 examples.
        binary: whether the scores it was made of are 0 or 1.

    Returns:
        The variances, none negative.
    """
    seeds, examples = difference.shape
    mean = float(difference.mean())
    centred = difference - mean
    of_seed, of_example = centred.mean(axis=1), centred.mean(axis=0)
    residual = float((centred**2).sum() - examples * (of_seed**2).sum() - seeds * (of_example**2).sum())
    return Spread(
        difference=mean,
        seeds=seeds,
        examples=examples,
        seed_variance=float(of_seed.var(ddof=1)),
        example_variance=float(of_example.var(ddof=1)),
        residual_variance=max(residual, 0.0) / ((seeds - 1) * (examples - 1)),
        binary=binary,
    )
