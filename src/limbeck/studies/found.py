"""What a study trained and what it says: the material that its answer is made of."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from limbeck.record import Estimate, Trial
from limbeck.runs.arms import Arm
from limbeck.runs.fit import Fitted, Settings
from limbeck.runs.guided import Heard
from limbeck.runs.plan import Plan
from limbeck.runs.teacher import Raised
from limbeck.studies.design import Design, Member
from limbeck.studies.interval import spread
from limbeck.task import Array

Scores = Float[np.ndarray, "seeds examples"]


@dataclass(frozen=True, slots=True)
class Taught:
    """A teacher of the study.

    Attributes:
        raised: the teacher; nobody where it exists only as its guide.
        heard: how students hear its answers.
        apart: arms that read more of it than the guide keeps -> how they hear it.
        labelling_s: seconds its guide took; of models that teach, all their guides.
    """

    raised: Raised
    heard: Heard
    apart: Mapping[str, Heard]
    labelling_s: float


@dataclass(frozen=True, slots=True)
class Trained:
    """An arm, tuned and trained.

    Attributes:
        member: which.
        arm: with the candidates it had.
        settings: what validation chose.
        trials: what it chose among.
        fitted: one model a seed.
    """

    member: Member
    arm: Arm
    settings: Settings
    trials: tuple[Trial, ...]
    fitted: tuple[Fitted, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A study whose models have answered.

    Attributes:
        plan: of the recipe.
        design: what was to be trained.
        trained: arms by name.
        taught: teachers by name.
        test: arm -> its seeds' logits on test.
        teachers: teacher -> its logits on test; those that exist only as a guide are absent.
    """

    plan: Plan
    design: Design
    trained: Mapping[str, Trained]
    taught: Mapping[str, Taught]
    test: Mapping[str, list[Array]]
    teachers: Mapping[str, Array]

    def scores(self, name: str) -> Scores:
        """The primary metric of every test example, one row a seed."""
        task, target = self.plan.task, self.plan.splits.test.labels
        return np.stack([task.scores(logits, target)[task.metric.name] for logits in self.test[name]])


def mean(scores: Scores) -> Estimate:
    """The mean over seeds and examples, with a 95% interval that covers both.

    Args:
        scores: one row a seed.

    Returns:
        Without an interval where one seed or one example leaves the scatter unknown; shares stay within 0..1.

    Example:
        >>> found = mean(np.array([[1.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]))
        >>> found.value, found.ci95[0] < 0.875
        (0.875, True)
    """
    value = float(scores.mean())
    if scores.shape[0] < 2 or scores.shape[1] < 2:
        return Estimate(value=value)
    binary = bool(((scores == 0) | (scores == 1)).all())
    half = spread(scores.astype(np.float64), binary=binary).half_width()
    low, high = value - half, value + half
    return Estimate(value=value, ci95=(max(low, 0.0), min(high, 1.0)) if binary else (low, high))
