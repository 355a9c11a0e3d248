"""Losses of other toolkits, said in Limbeck's terms: the same number and the same gradient, so recipes can be repeated.

"T = 4, alpha = 0.5" is another loss nearly everywhere: some divide by the number of classes, some leave the square of
the temperature out, some weigh the labels with alpha and some the teacher. Each function here takes the toolkit's
arguments under their names there, and its docstring prints the toolkit's formula: `KL_T` is the divergence of the
softened distributions, summed over classes, mean over rows, without a square, and `CE` the cross-entropy on labels.

`as_recipe` writes any objective down as the lines of a recipe. Values are equal for batches whose rows all have weight
1 and are all labelled. Where the toolkits do not say what an unlabelled row means, Limbeck leaves it out of `CE` and
keeps it in `KL_T`.
"""

from dataclasses import asdict
from math import sqrt
from typing import Any, Literal

from limbeck.errors import RecipeError
from limbeck.objectives.dkd import DKD
from limbeck.objectives.hard_labels import HardLabels
from limbeck.objectives.objective import Objective
from limbeck.objectives.ranges import check_at_least_zero, check_choice, check_temperature
from limbeck.objectives.schedule import Constant
from limbeck.objectives.soft_targets import SoftTargets
from limbeck.objectives.teacher_labels import TeacherLabels
from limbeck.objectives.text import changed
from limbeck.objectives.weighted import WeightedSum, as_sum


def as_recipe(objective: Objective | WeightedSum) -> list[dict[str, Any]]:
    """What stands under `objective:` in a recipe that says the same; settings at their defaults are left out.

    Args:
        objective: of methods that recipes know.

    Raises:
        RecipeError: a part is none of the methods that recipes may name.

    Example:
        >>> as_recipe(from_deit(alpha=0.5, tau=3.0, classes=1000))[1]
        {'method': 'soft-targets', 'weight': 0.0005, 'temperature': 3.0}
    """
    from limbeck.objectives import METHODS, SCHEDULES

    names = {where: name for table in (METHODS, SCHEDULES) for name, where in table.items()}
    terms = []
    for schedule, part in as_sum(objective).weighted_parts():
        if _where(part) not in names:
            raise RecipeError(f"{type(part).__name__} is no method that a recipe can name; give it in Python")
        weight = (
            schedule.value if isinstance(schedule, Constant) else {"kind": names[_where(schedule)], **asdict(schedule)}
        )
        terms.append({"method": names[_where(part)], "weight": weight, **changed(part)})
    return terms


def _where(thing: object) -> str:
    return f"{type(thing).__module__}:{type(thing).__name__}"


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
    _check_classes(classes)
    _check_part("alpha", alpha)
    if kind == "hard":
        return _sum((1 - alpha, HardLabels(smoothing)), (alpha, TeacherLabels()))
    return _sum((1 - alpha, HardLabels(smoothing)), (alpha / classes, SoftTargets(tau)))


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
    _check_classes(classes)
    _check_part("kd_loss_weight", kd_loss_weight)
    divisor = classes if reduction == "mean" else 1
    return _sum((1 - kd_loss_weight, HardLabels()), (kd_loss_weight / divisor, SoftTargets(temperature)))


def from_torchdistill(
    *,
    temperature: float,
    alpha: float | None = None,
    beta: float | None = None,
    reduction: Literal["mean", "batchmean"] = "batchmean",
    standardize: bool = False,
    classes: int | None = None,
) -> WeightedSum:
    r"""Of torchdistill `KDLoss`, or with `standardize` `LogitStdKDLoss` (torchdistill/losses/mid_level.py, 1.1.5).

    `alpha CE + beta T^2 KL_T`, beta = 1 - alpha unless given. With alpha 0 or left out it is `KL_T` alone: neither beta
    nor the square is applied, so that the gradient shrinks with `1 / T^2`. `reduction="mean"` divides `KL_T` by the
    number of classes. Standardised logits are divided by the deviation of a sample (n - 1), Limbeck's by that of all
    (n): the temperature becomes `T sqrt(n / (n - 1))` and the weight `(n - 1) / n` of what it was.

    Args:
        temperature: T.
        alpha: weight of the labels.
        beta: weight of the teacher's part.
        reduction: as given to the loss; "batchmean" there is the default.
        standardize: whether it is `LogitStdKDLoss`; its eps of 1e-7 is left out.
        classes: how many there are; needed for "mean" and for `standardize`.

    Raises:
        RecipeError: a value is out of range, or `classes` is needed.

    Example:
        >>> print(from_torchdistill(temperature=4.0, alpha=0.5))
        0.5 * HardLabels() + 0.5 * SoftTargets(temperature=4)
        >>> print(from_torchdistill(temperature=4.0))
        0.0625 * SoftTargets(temperature=4)
    """
    check_choice("reduction", reduction, ("mean", "batchmean"))
    check_temperature(temperature)
    if classes is None and (standardize or reduction == "mean"):
        raise RecipeError("classes: how many there are decides the scale with reduction: mean, and with standardize")
    labels, weight = (0.0, 1 / temperature**2) if not alpha else (alpha, 1 - alpha if beta is None else beta)
    if classes is not None:
        _check_classes(classes)
        weight /= classes if reduction == "mean" else 1
        if standardize:
            weight *= (classes - 1) / classes
            temperature *= sqrt(classes / (classes - 1))
    return _sum((labels, HardLabels()), (weight, SoftTargets(temperature, standardize=standardize)))


def from_mdistiller(*, ce_weight: float = 0.1, kd_weight: float = 0.9, temperature: float = 4.0) -> WeightedSum:
    r"""Of megvii-research/mdistiller `KD` (mdistiller/distillers/KD.py).

    `ce_weight CE + kd_weight T^2 KL_T`.

    Args:
        ce_weight: `KD.LOSS.CE_WEIGHT`.
        kd_weight: `KD.LOSS.KD_WEIGHT`.
        temperature: `KD.TEMPERATURE`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_mdistiller())
        0.1 * HardLabels() + 0.9 * SoftTargets(temperature=4)
    """
    return _sum((ce_weight, HardLabels()), (kd_weight, SoftTargets(temperature)))


def from_mdistiller_dkd(
    *, ce_weight: float = 1.0, alpha: float = 1.0, beta: float = 8.0, temperature: float = 4.0
) -> WeightedSum:
    r"""Of megvii-research/mdistiller `DKD` (mdistiller/distillers/DKD.py).

    `ce_weight CE + min(epoch / warmup, 1) T^2 (alpha TCKD + beta NCKD)`. What is converted is the loss
    after its warm-up of `DKD.WARMUP` epochs (20 of 240), during which the second part rises in equal steps.

    Args:
        ce_weight: `DKD.CE_WEIGHT`.
        alpha: `DKD.ALPHA`.
        beta: `DKD.BETA`.
        temperature: `DKD.T`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_mdistiller_dkd(beta=2.0))
        1 * HardLabels() + 1 * DKD(beta=2)
    """
    return _sum((ce_weight, HardLabels()), (1.0, DKD(alpha, beta, temperature)))


def _sum(*parts: tuple[float, Objective]) -> WeightedSum:
    """Parts of weight 0 are left out: they would only ask for labels or a teacher."""
    for weight, part in parts:
        check_at_least_zero(f"weight of {type(part).__name__}", weight)
    return WeightedSum([(weight, part) for weight, part in parts if weight > 0])


def _check_part(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise RecipeError(f"{name}: {value} is not in [0, 1]")


def _check_classes(classes: int) -> None:
    if classes < 2:
        raise RecipeError(f"classes: {classes} is fewer than two")
