"""Losses of megvii-research/mdistiller (mdistiller/distillers, defaults of mdistiller/engine/cfg.py), labels' included.

Its layers `feats[1:]` are the ends of the stages, `pooled_feat` is what the classifier reads.
"""

from collections.abc import Sequence

from limbeck.errors import RecipeError
from limbeck.objectives.attention_transfer import AttentionTransfer
from limbeck.objectives.convert.parts import Pair, added, contrast, even, for_each
from limbeck.objectives.dkd import DKD
from limbeck.objectives.hard_labels import HardLabels
from limbeck.objectives.hint import Hint
from limbeck.objectives.nst import NST
from limbeck.objectives.pkt import PKT
from limbeck.objectives.ranges import check_at_least_zero, check_positive
from limbeck.objectives.review import Review
from limbeck.objectives.rkd_angle import RKDAngle
from limbeck.objectives.rkd_distance import RKDDistance
from limbeck.objectives.schedule import Rise
from limbeck.objectives.similarity import SimilarityPreserving
from limbeck.objectives.soft_targets import SoftTargets
from limbeck.objectives.vid import VID
from limbeck.objectives.weighted import WeightedSum


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
    return added((ce_weight, HardLabels()), (kd_weight, SoftTargets(temperature)))


def from_mdistiller_dkd(
    *,
    ce_weight: float = 1.0,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float = 4.0,
    warmup: int = 20,
    epochs: int = 240,
) -> WeightedSum:
    r"""Of mdistiller `DKD`.

    `ce_weight CE + min(epoch / warmup, 1) T^2 (alpha TCKD + beta NCKD)`, epochs counted from 1. There the second part
    rises in steps of an epoch, here at every step: by up to an epoch's rise less, `1 / warmup`, until it has risen.

    Args:
        ce_weight: `DKD.CE_WEIGHT`.
        alpha: `DKD.ALPHA`.
        beta: `DKD.BETA`.
        temperature: `DKD.T`.
        warmup: `DKD.WARMUP`, in epochs; 0: none.
        epochs: `SOLVER.EPOCHS`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_mdistiller_dkd(beta=2.0, epochs=200))
        1 * HardLabels() + Rise(1, share=0.1) * DKD(beta=2)
    """
    return added((ce_weight, HardLabels()), (_warmed(1.0, warmup, epochs), DKD(alpha, beta, temperature)))


def from_mdistiller_fitnet(
    student: str, teacher: str, *, ce_weight: float = 1.0, feat_weight: float = 100.0
) -> WeightedSum:
    r"""Of mdistiller `FitNet`: one stage, not the paper's two (`preset: fitnets` has these).

    `ce_weight CE + feat_weight mean((regressor(s) - t)^2)`. The regressor ends in batch normalisation and ReLU there,
    and strides where maps differ in size; here it is a 1x1 convolution.

    Args:
        student: path of the hint layer (`FITNET.HINT_LAYER`, the second stage's end).
        teacher: likewise.
        ce_weight: `FITNET.LOSS.CE_WEIGHT`.
        feat_weight: `FITNET.LOSS.FEAT_WEIGHT`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_mdistiller_fitnet("layer2", "layer2"))
        1 * HardLabels() + 100 * Hint(student='layer2', teacher='layer2', variant='mean-square')
    """
    return added((ce_weight, HardLabels()), (feat_weight, Hint(student, teacher, "mean-square")))


def from_mdistiller_at(
    pairs: Sequence[Pair], *, p: int = 2, ce_weight: float = 1.0, feat_weight: float = 1000.0
) -> WeightedSum:
    r"""Of mdistiller `AT`.

    `ce_weight CE + feat_weight sum_pairs mean((Q_s - Q_t)^2)`, Q the map of `mean_c A_c^p`, of length 1. Where maps
    differ in size, activations are averaged to the smaller there, maps here.

    Args:
        pairs: (student's tap, teacher's tap) of each stage.
        p: `AT.P`, even; odd powers keep the sign there.
        ce_weight: `AT.LOSS.CE_WEIGHT`.
        feat_weight: `AT.LOSS.FEAT_WEIGHT`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_mdistiller_at([("layer3", "layer3")]))
        1 * HardLabels() + 1000 * AttentionTransfer(student='layer3', teacher='layer3', variant='mean-square')
    """
    if p < 2 or p % 2:
        raise RecipeError(
            f"p: {p} is not even; odd powers keep the activations' sign, which no attention map here does"
        )
    maps = for_each(even(feat_weight, pairs), lambda s, t: AttentionTransfer(s, t, "mean-square", p))
    return _beside_labels(ce_weight, maps)


def from_mdistiller_nst(pairs: Sequence[Pair], *, ce_weight: float = 1.0, feat_weight: float = 50.0) -> WeightedSum:
    r"""Of mdistiller `NST`.

    `ce_weight CE + feat_weight sum_pairs MMD^2` with the kernel `(x . y)^2` between channels of length 1.

    Args:
        pairs: (student's tap, teacher's tap) of each stage.
        ce_weight: `NST.LOSS.CE_WEIGHT`.
        feat_weight: `NST.LOSS.FEAT_WEIGHT`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_mdistiller_nst([("layer3", "layer3")]))
        1 * HardLabels() + 50 * NST(student='layer3', teacher='layer3')
    """
    return _beside_labels(ce_weight, for_each(even(feat_weight, pairs), NST))


def from_mdistiller_rkd(
    student: str,
    teacher: str,
    *,
    distance_weight: float = 25.0,
    angle_weight: float = 50.0,
    ce_weight: float = 1.0,
    feat_weight: float = 1.0,
) -> WeightedSum:
    r"""Of mdistiller `RKD`, with `PDIST.SQUARED` false.

    `ce_weight CE + feat_weight (distance_weight L_D + angle_weight L_A)`, whose means also count pairs and triplets
    that name a row twice.

    Args:
        student: path of what the student's classifier reads.
        teacher: likewise.
        distance_weight: `RKD.DISTANCE_WEIGHT`.
        angle_weight: `RKD.ANGLE_WEIGHT`.
        ce_weight: `RKD.LOSS.CE_WEIGHT`.
        feat_weight: `RKD.LOSS.FEAT_WEIGHT`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_mdistiller_rkd("fc:in", "fc:in", angle_weight=0))
        1 * HardLabels() + 25 * RKDDistance(student='fc:in', teacher='fc:in', variant='code')
    """
    return added(
        (ce_weight, HardLabels()),
        (feat_weight * distance_weight, RKDDistance(student, teacher, "code")),
        (feat_weight * angle_weight, RKDAngle(student, teacher, "code")),
    )


def from_mdistiller_sp(
    student: str, teacher: str, *, ce_weight: float = 1.0, feat_weight: float = 3000.0
) -> WeightedSum:
    r"""Of mdistiller `SP`.

    `ce_weight CE + feat_weight ||G_t - G_s||^2 / b^2` between Gram matrices whose rows have length 1.

    Args:
        student: path of the last stage's end.
        teacher: likewise.
        ce_weight: `SP.LOSS.CE_WEIGHT`.
        feat_weight: `SP.LOSS.FEAT_WEIGHT`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_mdistiller_sp("layer4", "layer4"))
        1 * HardLabels() + 3000 * SimilarityPreserving(student='layer4', teacher='layer4')
    """
    return added((ce_weight, HardLabels()), (feat_weight, SimilarityPreserving(student, teacher)))


def from_mdistiller_pkt(
    student: str, teacher: str, *, ce_weight: float = 1.0, feat_weight: float = 30000.0
) -> WeightedSum:
    r"""Of mdistiller `PKT`; its eps of 1e-7 in the logarithms is left out.

    `ce_weight CE + feat_weight mean_ij p_ij log(p_ij / q_ij)`, over all pairs of rows, a row's own included.

    Args:
        student: path of what the student's classifier reads.
        teacher: likewise.
        ce_weight: `PKT.LOSS.CE_WEIGHT`.
        feat_weight: `PKT.LOSS.FEAT_WEIGHT`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_mdistiller_pkt("fc:in", "fc:in"))
        1 * HardLabels() + 30000 * PKT(student='fc:in', teacher='fc:in', variant='code')
    """
    return added((ce_weight, HardLabels()), (feat_weight, PKT(student, teacher, "code")))


def from_mdistiller_vid(
    pairs: Sequence[Pair],
    *,
    ce_weight: float = 1.0,
    feat_weight: float = 1.0,
    init_pred_var: float = 5.0,
    learned: bool = False,
) -> WeightedSum:
    r"""Of mdistiller `VID`.

    `ce_weight CE + feat_weight sum_pairs mean((mu - t)^2 / (2 var) + log(var) / 2)`. Its variances are in no list of
    parameters, so that no optimiser moves them: they stay at `init_pred_var`, which leaves a mean of squares, and a
    constant. The regressor is three 1x1 convolutions with ReLUs between there, one here.

    Args:
        pairs: (student's tap, teacher's tap) of each stage.
        ce_weight: `VID.LOSS.CE_WEIGHT`.
        feat_weight: `VID.LOSS.FEAT_WEIGHT`.
        init_pred_var: `VID.INIT_PRED_VAR`.
        learned: false: what its code does, the same gradient without the constant; true: what the paper says.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_mdistiller_vid([("layer3", "layer3")]))
        1 * HardLabels() + 0.1 * Hint(student='layer3', teacher='layer3', variant='mean-square')
        >>> print(from_mdistiller_vid([("layer3", "layer3")], learned=True))
        1 * HardLabels() + 1 * VID(student='layer3', teacher='layer3', variant='mean')
    """
    check_positive("init_pred_var", init_pred_var)
    if learned:
        bounds = for_each(even(feat_weight, pairs), lambda s, t: VID(s, t, "mean", init_pred_var))
        return _beside_labels(ce_weight, bounds)
    hints = for_each(even(feat_weight / (2 * init_pred_var), pairs), lambda s, t: Hint(s, t, "mean-square"))
    return _beside_labels(ce_weight, hints)


def from_mdistiller_crd(
    student: str,
    teacher: str,
    *,
    num_data: int,
    feat_dim: int = 128,
    k: int = 16384,
    momentum: float = 0.5,
    temperature: float = 0.07,
    ce_weight: float = 1.0,
    feat_weight: float = 0.8,
) -> WeightedSum:
    r"""Of mdistiller `CRD`: near it, not equal, as `from_torchdistill_crd` says.

    Args:
        student: path of what the student's classifier reads.
        teacher: likewise.
        num_data: examples of the data set.
        feat_dim: `CRD.FEAT.DIM`.
        k: `CRD.NCE.K`, negatives.
        momentum: `CRD.NCE.MOMENTUM`.
        temperature: `CRD.NCE.TEMPERATURE`.
        ce_weight: `CRD.LOSS.CE_WEIGHT`.
        feat_weight: `CRD.LOSS.FEAT_WEIGHT`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> labels, contrast = from_mdistiller_crd("fc:in", "fc:in", num_data=50000).parts
        >>> contrast.memory, round(contrast.constant)
        (16384, 110965)
    """
    made = contrast(student, teacher, width=feat_dim, negatives=k, examples=num_data, t=temperature, momentum=momentum)
    return added((ce_weight, HardLabels()), (feat_weight, made))


def from_mdistiller_reviewkd(
    student: tuple[str, ...],
    teacher: tuple[str, ...],
    *,
    ce_weight: float = 1.0,
    reviewkd_weight: float = 1.0,
    mid_channel: int = 256,
    warmup_epochs: int = 20,
    epochs: int = 240,
) -> WeightedSum:
    r"""Of mdistiller `ReviewKD`.

    `ce_weight CE + reviewkd_weight min(epoch / warmup_epochs, 1) sum_stages HCL(student's, teacher's)`, epochs counted
    from 1; here the weight rises at every step, see `from_mdistiller_dkd`. Batch normalisation behind the fusion's
    convolutions is left out, and see `Review` on stages of unlike sizes. What the classifier reads is its last stage.

    Args:
        student: paths of the student's stages, from shallow to deep.
        teacher: paths of the teacher's, before their last ReLU there.
        ce_weight: `REVIEWKD.CE_WEIGHT`.
        reviewkd_weight: `REVIEWKD.REVIEWKD_WEIGHT`.
        mid_channel: channels of what is passed on; there 512, or those of the student's last stage if they are fewer.
        warmup_epochs: `REVIEWKD.WARMUP_EPOCHS`; 0: none.
        epochs: `SOLVER.EPOCHS`.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> print(from_mdistiller_reviewkd(("a", "b"), ("a", "b"), reviewkd_weight=5.0, epochs=40))
        1 * HardLabels() + Rise(5, share=0.5) * Review(student=['a', 'b'], teacher=['a', 'b'])
    """
    warmed = _warmed(reviewkd_weight, warmup_epochs, epochs)
    return added((ce_weight, HardLabels()), (warmed, Review(student, teacher, mid_channel)))


def _warmed(weight: float, warmup: int, epochs: int) -> float | Rise:
    check_at_least_zero("warmup", warmup)
    check_at_least_zero("weight", weight)
    if warmup > epochs:
        raise RecipeError(f"warmup: {warmup} epochs are more than the {epochs} there are; give epochs")
    return Rise(weight, share=warmup / epochs) if warmup and weight else weight


def _beside_labels(ce_weight: float, others: WeightedSum) -> WeightedSum:
    return added((ce_weight, HardLabels()), *others.weighted_parts())
