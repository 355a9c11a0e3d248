"""DeiT's loss (facebookresearch/deit)."""

from typing import Literal

from limbeck.objectives.convert.parts import added, check_classes, check_part
from limbeck.objectives.hard_labels import HardLabels
from limbeck.objectives.ranges import check_choice
from limbeck.objectives.soft_targets import SoftTargets
from limbeck.objectives.teacher_labels import TeacherLabels
from limbeck.objectives.weighted import WeightedSum


def from_deit(
    *,
    alpha: float = 0.5,
    tau: float = 1.0,
    classes: int,
    kind: Literal["soft", "hard"] = "soft",
    smoothing: float = 0.1,
) -> WeightedSum:
    r"""DeiT's `DistillationLoss` (facebookresearch/deit, losses.py).

    Soft: `(1 - alpha) CE + alpha tau^2 KL_tau / classes`. Hard: `(1 - alpha) CE + alpha CE(teacher's top class)`.
    The division by the number of classes is easily missed: with 1,000 of them and alpha 0.5, the teacher's part is a
    thousandth of the labels'. DeiT reads `CE` off the class token and the other part off the distillation token; a
    student with one output has both from it.

    Args:
        alpha: weight of the teacher's part, 0..1 (`--distillation-alpha`).
        tau: temperature (`--distillation-tau`).
        classes: how many there are.
        kind: "soft" or "hard" (`--distillation-type`).
        smoothing: label smoothing of `CE` (`--smoothing`).

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_deit(alpha=0.5, tau=3.0, classes=1000))
        0.5 * HardLabels(label_smoothing=0.1) + 0.0005 * SoftTargets(temperature=3)
    """
    check_choice("kind", kind, ("soft", "hard"))
    check_classes(classes)
    check_part("alpha", alpha)
    if kind == "hard":
        return added((1 - alpha, HardLabels(smoothing)), (alpha, TeacherLabels()))
    return added((1 - alpha, HardLabels(smoothing)), (alpha / classes, SoftTargets(tau)))
