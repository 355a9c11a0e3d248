"""Losses of torchdistill 1.1.5 (torchdistill/losses/mid_level.py).

Those on activations are what its recipes list under `sub_terms`; what stands under `org_term`, a cross-entropy most of
the time, is added with its weight: `from_torchdistill_rkd(...) + 1 * HardLabels()`.
"""

from math import sqrt
from typing import Literal

from limbeck.errors import RecipeError
from limbeck.objectives.activation_boundaries import ActivationBoundaries
from limbeck.objectives.attention_transfer import AttentionTransfer
from limbeck.objectives.convert.parts import Pairs, added, check_classes, check_mean, contrast, for_each
from limbeck.objectives.dist import DIST
from limbeck.objectives.factor_transfer import FactorTransfer
from limbeck.objectives.hard_labels import HardLabels
from limbeck.objectives.pkt import PKT
from limbeck.objectives.ranges import check_choice, check_temperature
from limbeck.objectives.review import Review
from limbeck.objectives.rkd_angle import RKDAngle
from limbeck.objectives.rkd_distance import RKDDistance
from limbeck.objectives.soft_targets import SoftTargets
from limbeck.objectives.vid import VID
from limbeck.objectives.weighted import WeightedSum


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

    `alpha CE + beta T^2 KL_T`, beta = 1 - alpha unless given. With alpha 0, or none and any beta, it is `KL_T` alone:
    neither beta nor the square is applied, so that the gradient shrinks with `1 / T^2`. Without alpha and beta it is a
    `TypeError` there. `reduction="mean"` divides `KL_T` by the number of classes. Standardised logits are divided by
    the deviation of a sample (n - 1), Limbeck's by that of all (n): the temperature becomes `T sqrt(n / (n - 1))` and
    the weight `(n - 1) / n` of what it was.

    Args:
        temperature: T.
        alpha: weight of the labels; 0 or `None`: `KL_T` alone.
        beta: weight of the teacher's part; must be given where alpha is not.
        reduction: as given to the loss; "batchmean" there is the default.
        standardize: whether it is `LogitStdKDLoss`; its eps of 1e-7 is left out.
        classes: how many there are; needed for "mean" and for `standardize`.

    Raises:
        RecipeError: a value is out of range, or `classes`, or one of `alpha` and `beta`, is needed.

    Example:
        >>> print(from_torchdistill(temperature=4.0, alpha=0.5))
        0.5 * HardLabels() + 0.5 * SoftTargets(temperature=4)
        >>> print(from_torchdistill(temperature=4.0, alpha=0))
        0.0625 * SoftTargets(temperature=4)
    """
    check_choice("reduction", reduction, ("mean", "batchmean"))
    check_temperature(temperature)
    if alpha is None and beta is None:
        raise RecipeError("alpha: without alpha and beta torchdistill raises a TypeError; alpha=0 is the KL alone")
    if classes is None and (standardize or reduction == "mean"):
        raise RecipeError("classes: how many there are decides the scale with reduction: mean, and with standardize")
    labels, weight = (0.0, 1 / temperature**2) if not alpha else (alpha, 1 - alpha if beta is None else beta)
    if classes is not None:
        check_classes(classes)
        weight /= classes if reduction == "mean" else 1
        if standardize:
            weight *= (classes - 1) / classes
            temperature *= sqrt(classes / (classes - 1))
    return added((labels, HardLabels()), (weight, SoftTargets(temperature, standardize=standardize)))


def from_torchdistill_at(pairs: Pairs, *, mode: Literal["code", "paper"] = "code") -> WeightedSum:
    r"""Of torchdistill `ATLoss`.

    `sum_pairs weight mean((Q_s - Q_t)^2)` over rows and positions with "code"; with "paper" the mean over rows of
    `||Q_s - Q_t||_2`. `Q` is the map of `sum_c A_c^2`, of length 1. Both maps are of one size there.

    Args:
        pairs: (student's tap, teacher's tap, weight) of each of `at_pairs`.
        mode: "code" or "paper".

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_torchdistill_at([("layer4", "layer4", 1000.0)]))
        1000 * AttentionTransfer(student='layer4', teacher='layer4', variant='mean-square')
    """
    check_choice("mode", mode, ("code", "paper"))
    variant: Literal["paper", "mean-square"] = "mean-square" if mode == "code" else "paper"
    return for_each(pairs, lambda student, teacher: AttentionTransfer(student, teacher, variant))


def from_torchdistill_rkd(
    student: str | None, teacher: str | None, *, dist_factor: float, angle_factor: float, reduction: str = "mean"
) -> WeightedSum:
    r"""Of torchdistill `RKDLoss`.

    `dist_factor L_D + angle_factor L_A`, Huber losses whose means also count pairs and triplets that name a row twice.

    Args:
        student: path of the student's tap, its output flattened; `None` reads logits.
        teacher: likewise.
        dist_factor: weight of distances.
        angle_factor: weight of angles.
        reduction: "mean"; sums grow with the batch.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_torchdistill_rkd(None, None, dist_factor=1.0, angle_factor=2.0))
        1 * RKDDistance(variant='code') + 2 * RKDAngle(variant='code')
    """
    check_mean(reduction)
    return added(
        (dist_factor, RKDDistance(student, teacher, "code")), (angle_factor, RKDAngle(student, teacher, "code"))
    )


def from_torchdistill_pkt(student: str | None, teacher: str | None) -> WeightedSum:
    r"""Of torchdistill `PKTLoss`.

    `mean_ij p_ij log(p_ij / q_ij)` over the affinities of all pairs of rows, a row's own included; its eps of 1e-7 in
    the logarithms is left out. An `input` of a module there is `MODULE:in` here.

    Args:
        student: path of the student's tap; `None` reads logits.
        teacher: likewise.

    Example:
        >>> print(from_torchdistill_pkt("fc:in", "fc:in"))
        1 * PKT(student='fc:in', teacher='fc:in', variant='code')
    """
    return added((1.0, PKT(student, teacher, "code")))


def from_torchdistill_vid(pairs: Pairs, *, init_pred_var: float = 5.0) -> WeightedSum:
    r"""Of torchdistill `VIDLoss` behind `VariationalDistributor4VID`.

    `sum_pairs weight mean((mu - t)^2 / (2 var) + log(var) / 2)`. The regressor that predicts mu is three 1x1
    convolutions with ReLUs between there, one here.

    Args:
        pairs: (student's tap, teacher's tap, weight) of each of `feature_pairs`; the student's is what the regressor
            reads.
        init_pred_var: what every channel's variance starts at.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_torchdistill_vid([("layer3", "layer3", 1.0)]))
        1 * VID(student='layer3', teacher='layer3', variant='mean')
    """
    return for_each(pairs, lambda student, teacher: VID(student, teacher, "mean", init_pred_var))


def from_torchdistill_ft(
    student: str, teacher: str, *, p: int = 1, reduction: str = "mean", rate: float = 0.5
) -> WeightedSum:
    r"""Of torchdistill `FTLoss`.

    The mean over all elements of `|F_s / ||F_s|| - F_t / ||F_t|||` for p = 1; for p = 2 the norm of a row, mean over
    rows. The paraphraser is trained in a stage of its own there, and beside the student here.

    Args:
        student: path of the layer that the translator reads.
        teacher: path of the layer that the paraphraser reads.
        p: 1 or 2.
        reduction: "mean"; sums grow with the batch.
        rate: factors as a share of the teacher's channels, the paraphraser's `k`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_torchdistill_ft("layer4", "layer4"))
        1 * FactorTransfer(student='layer4', teacher='layer4', variant='mean')
    """
    check_mean(reduction)
    return added((1.0, FactorTransfer(student, teacher, rate, p, "mean" if p == 1 else "paper")))


def from_torchdistill_ab(pairs: Pairs, *, margin: float, reduction: str = "mean") -> WeightedSum:
    r"""Of torchdistill `AltActTransferLoss`.

    `sum_pairs weight sum((s + m)^2 [s > -m, t <= 0] + (s - m)^2 [s <= m, t > 0])`, over the rows of the batch. The
    connector has batch normalisation there and none here.

    Args:
        pairs: (student's tap, teacher's tap, weight) of each of `feature_pairs`; the student's is what the connector
            reads, the teacher's stands before its ReLU.
        margin: m > 0.
        reduction: "mean"; the sum grows with the batch.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_torchdistill_ab([("layer2.bn", "layer2.bn", 0.5)], margin=2.0))
        0.5 * ActivationBoundaries(student='layer2.bn', teacher='layer2.bn', margin=2)
    """
    check_mean(reduction)
    return for_each(pairs, lambda student, teacher: ActivationBoundaries(student, teacher, margin))


def from_torchdistill_dist(*, beta: float = 1.0, gamma: float = 1.0, tau: float = 1.0) -> WeightedSum:
    r"""Of torchdistill `DISTLoss`.

    `tau^2 (beta inter + gamma intra)`, one minus the mean correlation over rows and over classes.

    Args:
        beta: factor of inter.
        gamma: factor of intra.
        tau: temperature.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_torchdistill_dist(tau=4.0))
        1 * DIST(temperature=4)
    """
    return added((1.0, DIST(beta, gamma, tau)))


def from_torchdistill_crd(
    student: str,
    teacher: str,
    *,
    input_size: int,
    num_negative_samples: int,
    num_samples: int,
    temperature: float = 0.07,
    momentum: float = 0.5,
) -> WeightedSum:
    r"""Of torchdistill `CRDLoss`: near it, not equal.

    `-log h(pos) - sum log(1 - h(neg))` in both directions, `h = P / (P + N / M)`, `P = e^score / Z`. The critic is the
    same for the same candidates and Z. There Z is measured on the first batch, here it is what is expected of it; there
    N negatives are drawn for every row from vectors of all examples, here they are the batch's and the N last seen.

    Args:
        student: path of the layer that the student's linear map reads.
        teacher: likewise.
        input_size: width of the embeddings.
        num_negative_samples: N.
        num_samples: M, the data set's size.
        temperature: of the scores.
        momentum: of the memory.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> found = from_torchdistill_crd("f", "f", input_size=64, num_negative_samples=512, num_samples=1000)
        >>> [(part.memory, part.examples, round(part.constant)) for part in found.parts]
        [(512, 1000, 4925)]
    """
    made = contrast(
        student, teacher, width=input_size, negatives=num_negative_samples, examples=num_samples, t=temperature,
        momentum=momentum,
    )  # fmt: skip
    return added((1.0, made))


def from_torchdistill_review(
    student: tuple[str, ...], teacher: tuple[str, ...], *, factor: float = 1.0, mid_channel: int = 256
) -> WeightedSum:
    r"""Of torchdistill `HierarchicalContextLoss`, one a stage, behind `Student4KnowledgeReview`.

    `factor sum_stages HCL(student's, teacher's)`: mean squares at full size and averaged to 4, 2 and 1 pixels, each
    half as heavy, over all weights. All stages have one factor here. Batch normalisation behind the fusion's
    convolutions is left out, and see `Review` on stages of unlike sizes.

    Args:
        student: paths of the student's stages, from shallow to deep.
        teacher: paths of the teacher's.
        factor: weight of each stage.
        mid_channel: channels of what is passed from stage to stage.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_torchdistill_review(("layer3", "layer4"), ("layer3", "layer4"), factor=0.5))
        0.5 * Review(student=['layer3', 'layer4'], teacher=['layer3', 'layer4'])
    """
    return added((factor, Review(student, teacher, mid_channel)))
