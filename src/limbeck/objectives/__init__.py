"""What a student can be asked to imitate: one method, one file; they add up and take weights.

Example:
    >>> from limbeck.objectives import HardLabels, SoftTargets
    >>> objective = 0.9 * SoftTargets(temperature=2) + 0.1 * HardLabels()
    >>> str(objective)
    '0.9 * SoftTargets(temperature=2) + 0.1 * HardLabels()'
"""

from limbeck.objectives.card import MethodCard
from limbeck.objectives.correlation import CorrelationCongruence
from limbeck.objectives.hard_labels import HardLabels
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.pkt import PKT
from limbeck.objectives.rkd_angle import RKDAngle
from limbeck.objectives.rkd_distance import RKDDistance
from limbeck.objectives.schedule import Constant, Decay, First, Schedule
from limbeck.objectives.similarity import SimilarityPreserving
from limbeck.objectives.soft_targets import SoftTargets
from limbeck.objectives.teacher_labels import TeacherLabels
from limbeck.objectives.weighted import WeightedSum, as_sum, objective_fingerprint

METHODS = {
    "soft-targets": "limbeck.objectives.soft_targets:SoftTargets",
    "hard-labels": "limbeck.objectives.hard_labels:HardLabels",
    "teacher-labels": "limbeck.objectives.teacher_labels:TeacherLabels",
    "rkd-distance": "limbeck.objectives.rkd_distance:RKDDistance",
    "rkd-angle": "limbeck.objectives.rkd_angle:RKDAngle",
    "similarity-preserving": "limbeck.objectives.similarity:SimilarityPreserving",
    "correlation-congruence": "limbeck.objectives.correlation:CorrelationCongruence",
    "pkt": "limbeck.objectives.pkt:PKT",
}
"""Recipe name -> where the class lives. Its module also holds the method's `CARD`."""

SCHEDULES = {
    "constant": "limbeck.objectives.schedule:Constant",
    "decay": "limbeck.objectives.schedule:Decay",
    "first": "limbeck.objectives.schedule:First",
}

__all__ = [
    "METHODS",
    "PKT",
    "SCHEDULES",
    "Constant",
    "CorrelationCongruence",
    "Decay",
    "First",
    "HardLabels",
    "MethodCard",
    "Needs",
    "Objective",
    "RKDAngle",
    "RKDDistance",
    "Schedule",
    "SimilarityPreserving",
    "SoftTargets",
    "TeacherLabels",
    "WeightedSum",
    "as_sum",
    "objective_fingerprint",
]
