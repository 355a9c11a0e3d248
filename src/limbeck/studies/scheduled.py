"""Who listens to a teacher, and when: the recipe's objective in one part of training, labels in the other."""

from collections.abc import Callable
from dataclasses import replace

from limbeck.errors import RecipeError
from limbeck.objectives import Constant, Decay, First, HardLabels, Late, Objective, Schedule, WeightedSum
from limbeck.runs.arms import Arm
from limbeck.runs.fit import Settings

Turn = Callable[[float], tuple[Schedule, Schedule]]
"""A weight of the teacher's part -> its schedule, and that of the labels."""


def listening(arm: Arm, kind: str) -> Arm:
    """The arm without the candidates that hear no teacher, so that what a study says of a teacher is true.

    Args:
        arm: the recipe's student.
        kind: of study, for the refusal.

    Raises:
        RecipeError: no candidate listens.
    """
    heard = tuple(each for each in arm.candidates if any(stage.needs().teacher for stage in arm.stages(each)))
    if not heard:
        raise RecipeError(f"study {kind}: the recipe's objective listens to no teacher; use soft-targets")
    return replace(arm, candidates=heard)


def scheduled(arm: Arm, turn: Turn) -> Arm:
    """The same arm, its objective and the labels each with a schedule.

    Args:
        arm: its weights are plain numbers (`check_constant`).
        turn: which schedules.
    """

    def objective(settings: Settings) -> WeightedSum:
        parts: list[tuple[Schedule, Objective]] = [
            (turn(schedule.at(0.0))[0], part) for schedule, part in arm.objective(settings).weighted_parts()
        ]
        return WeightedSum([*parts, (turn(1.0)[1], HardLabels())])

    return replace(arm, objective=objective)


def constant_weights(arm: Arm) -> bool:
    """Whether the arm is one objective with plain weights, which can be given schedules."""
    weights = arm.objective(arm.candidates[0]).schedules
    return not arm.earlier and all(isinstance(each, Constant) for each in weights)


def first(part: float) -> Turn:
    """The teacher in the first part of training, labels in the rest."""
    return lambda weight: (First(weight, part), Late(1.0, part))


def late(part: float) -> Turn:
    """Labels in the first part of training, the teacher in the rest."""
    return lambda weight: (Late(weight, part), First(1.0, part))


def fading(weight: float) -> tuple[Schedule, Schedule]:
    """From the teacher alone, in a straight line, to labels alone."""
    return Decay(weight, 0.0), Decay(0.0, 1.0)
