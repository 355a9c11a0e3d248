"""What a student can be asked to imitate: one method, one file; they add up and take weights.

Example:
    >>> from limbeck.objectives import HardLabels, SoftTargets
    >>> objective = 0.9 * SoftTargets(temperature=2) + 0.1 * HardLabels()
    >>> str(objective)
    '0.9 * SoftTargets(temperature=2) + 0.1 * HardLabels()'
"""

from limbeck.objectives.card import MethodCard
from limbeck.objectives.hard_labels import HardLabels
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.schedule import Constant, Decay, First, Schedule
from limbeck.objectives.soft_targets import SoftTargets
from limbeck.objectives.teacher_labels import TeacherLabels
from limbeck.objectives.weighted import WeightedSum, as_sum, objective_fingerprint

METHODS = {
    "soft-targets": "limbeck.objectives.soft_targets:SoftTargets",
    "hard-labels": "limbeck.objectives.hard_labels:HardLabels",
    "teacher-labels": "limbeck.objectives.teacher_labels:TeacherLabels",
}
"""Recipe name -> where the class lives. Its module also holds the method's `CARD`."""

SCHEDULES = {
    "constant": "limbeck.objectives.schedule:Constant",
    "decay": "limbeck.objectives.schedule:Decay",
    "first": "limbeck.objectives.schedule:First",
}

__all__ = [
    "METHODS",
    "SCHEDULES",
    "Constant",
    "Decay",
    "First",
    "HardLabels",
    "MethodCard",
    "Needs",
    "Objective",
    "Schedule",
    "SoftTargets",
    "TeacherLabels",
    "WeightedSum",
    "as_sum",
    "objective_fingerprint",
]
