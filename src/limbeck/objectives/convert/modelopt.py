"""NVIDIA ModelOpt's losses (modelopt/torch/distill/losses.py)."""

from typing import Literal

from limbeck.objectives.convert.parts import added, check_classes, check_part
from limbeck.objectives.hard_labels import HardLabels
from limbeck.objectives.mgd import MGD
from limbeck.objectives.ranges import check_at_least, check_choice
from limbeck.objectives.soft_targets import SoftTargets
from limbeck.objectives.weighted import WeightedSum


def from_modelopt(
    *,
    kd_loss_weight: float = 0.5,
    temperature: float = 1.0,
    classes: int,
    reduction: Literal["mean", "batchmean"] = "mean",
) -> WeightedSum:
    r"""NVIDIA ModelOpt's `LogitsDistillationLoss` under a `StaticLossBalancer` (modelopt/torch/distill, version 0.47).

    `(1 - w) CE + w T^2 KL_T / classes` with `reduction="mean"`, the default up to 0.47; without the division with
    "batchmean", the default of later versions.

    Args:
        kd_loss_weight: w, 0..1; at 1 no loss of the student's own is needed.
        temperature: T.
        classes: how many there are; the vocabulary for language models.
        reduction: as given to the loss.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_modelopt(kd_loss_weight=0.5, temperature=2.0, classes=10))
        0.5 * HardLabels() + 0.05 * SoftTargets(temperature=2)
    """
    check_choice("reduction", reduction, ("mean", "batchmean"))
    check_classes(classes)
    check_part("kd_loss_weight", kd_loss_weight)
    divisor = classes if reduction == "mean" else 1
    return added((1 - kd_loss_weight, HardLabels()), (kd_loss_weight / divisor, SoftTargets(temperature)))


def from_modelopt_mgd(
    student: str, teacher: str, *, elements: int, alpha_mgd: float = 1.0, lambda_mgd: float = 0.65
) -> WeightedSum:
    r"""ModelOpt's `MGDLoss`.

    `alpha_mgd mean((generation(masked student) - teacher)^2)`, the mean over batch, channels and pixels, `lambda_mgd`
    of the pixels hidden. Limbeck's sums a row up, as the paper does. Align and generation are the same convolutions;
    which pixels are hidden is drawn by example and view. The loss of the student's own is not part of it.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.
        elements: channels times rows times columns of the teacher's map.
        alpha_mgd: factor.
        lambda_mgd: share of the pixels that is hidden.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_modelopt_mgd("layer4", "layer4", elements=512 * 7 * 7, alpha_mgd=2.0))
        7.971938775510203e-05 * MGD(student='layer4', teacher='layer4', ratio=0.65)
    """
    check_at_least("elements", elements, 1)
    return added((alpha_mgd / elements, MGD(student, teacher, ratio=lambda_mgd)))
