"""What both have, torchdistill's beside ours on the same tensors: maps of one shape, behind the bridges of either."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from limbeck.core.signals import Signals
from limbeck.objectives import (
    CRD,
    DIST,
    PKT,
    AttentionTransfer,
    CorrelationCongruence,
    HardLabels,
    Hint,
    RKDAngle,
    RKDDistance,
    SimilarityPreserving,
    SoftTargets,
)
from limbeck.objectives.activation_boundaries import activation_boundaries_rows
from limbeck.objectives.factor_transfer import factor_transfer_rows
from limbeck.objectives.fsp import flow, fsp_rows
from limbeck.objectives.review import hierarchical_rows
from limbeck.objectives.vid import vid_rows

from .measure import Step, Timed, added
from .methods import BATCH, CLASSES, LEAVES, ROWS, STUDENT, TEACHER, drawn, objective

HERE, THERE = STUDENT.logits, TEACHER.logits
MAP, MAP_2 = (drawn(ROWS, 64, 7, 7, seed=seed).requires_grad_() for seed in (30, 31))
OTHER, OTHER_2 = TEACHER.features["map"], TEACHER.features["map-2"]
ALPHA = torch.zeros(64, requires_grad=True)
TAP = {"path": "tap", "io": "output"}
PAIRS = {"pair": {"student": TAP, "teacher": TAP}}
PATHS = ("tap", "output", "tap", "output")
NEGATIVES = 1023


@dataclass(frozen=True)
class Pair:
    """One loss of theirs and ours.

    Attributes:
        method: ours.
        theirs: gives their loss.
        ours: gives ours.
        times: theirs over ours in value; `None` where they are known to differ (docs/torchdistill.md).
        leaves: further leaves of the graphs.
    """

    method: str
    theirs: Step
    ours: Step
    times: float | None = 1.0
    leaves: tuple[Tensor, ...] = field(default=())

    def timed(self) -> tuple[Timed, Timed]:
        leaves = [*LEAVES, MAP, MAP_2, ALPHA, *self.leaves]
        return Timed(self.theirs, leaves), Timed(self.ours, leaves)


def said(tensor: Tensor) -> dict[str, dict[str, Tensor]]:
    return {"tap": {"output": tensor}}


def pairs() -> dict[str, Pair]:
    """By the name of their loss; none where torchdistill is not installed."""
    if find_spec("torchdistill") is None:
        return {}
    return {**on_outputs(), **on_relations(), **on_maps(), "CRDLoss": contrasts(), "ReviewKD, all of it": reviews()}


def on_logits(loss: Callable[..., Tensor], *more: Tensor) -> Step:
    return lambda: loss(said(HERE), said(THERE), *more)


def on_outputs() -> dict[str, Pair]:
    from torchdistill.losses import mid_level

    both = 0.5 * HardLabels() + 0.5 * SoftTargets(4.0)
    student, teacher = Signals(HERE), Signals(THERE)
    deviation = (CLASSES / (CLASSES - 1)) ** 0.5  # of a sample
    soft, standard, dist = SoftTargets(4.0), SoftTargets(4.0 * deviation, standardize=True), DIST()
    labelled = mid_level.KDLoss(*PATHS, temperature=4.0, alpha=0.5)
    bare = mid_level.KDLoss(*PATHS, temperature=4.0, alpha=0)
    standardised = mid_level.LogitStdKDLoss(*PATHS, temperature=4.0, alpha=0)
    return {
        "KDLoss": Pair(
            "hard-labels + soft-targets",
            on_logits(labelled, BATCH.target),
            lambda: added(both(student, teacher, BATCH)),
        ),
        "KDLoss, no labels": Pair("soft-targets", on_logits(bare), lambda: soft(HERE, THERE), 1 / 16),
        "LogitStdKDLoss": Pair(
            "soft-targets, standardize",
            on_logits(standardised),
            lambda: standard(HERE, THERE),
            1 / (4.0 * deviation) ** 2,
        ),
        "DISTLoss": Pair("dist", on_logits(mid_level.DISTLoss(*PATHS)), lambda: dist(HERE, THERE)),
    }


def on_relations() -> dict[str, Pair]:
    from torchdistill.losses import mid_level

    distance = mid_level.RKDLoss("tap", "tap", dist_factor=1, angle_factor=0, reduction="mean")
    angle = mid_level.RKDLoss("tap", "tap", dist_factor=0, angle_factor=1, reduction="mean")
    gaussian = {"type": "gaussian", "gamma": 0.4, "max_p": 2}
    distances, angles, pkt = RKDDistance(variant="code"), RKDAngle(variant="code"), PKT(variant="code")
    alike, congruence = SimilarityPreserving(), CorrelationCongruence()
    return {
        "RKDLoss, distances": Pair("rkd-distance", on_logits(distance), lambda: distances(HERE, THERE)),
        "RKDLoss, angles": Pair("rkd-angle", on_logits(angle), lambda: angles(HERE, THERE)),
        "PKTLoss": Pair("pkt", on_logits(mid_level.PKTLoss(*PATHS)), lambda: pkt(HERE, THERE)),
        "SPKDLoss": Pair(
            "similarity-preserving",
            on_logits(mid_level.SPKDLoss("tap", "tap", reduction="batchmean")),
            lambda: alike(HERE, THERE),
            None,
        ),
        "CCKDLoss": Pair(
            "correlation-congruence",
            on_logits(mid_level.CCKDLoss("tap", "tap", gaussian, reduction="batchmean")),
            lambda: congruence(HERE, THERE),
            None,
        ),
    }


def on_maps() -> dict[str, Pair]:
    return {**on_maps_of_signals(), **on_maps_alone(), "FSPLoss": flows()}


def on_maps_of_signals() -> dict[str, Pair]:
    """Ours as a recipe has them, with taps."""
    from torchdistill.losses import mid_level

    shape = {"map": (64, 7, 7)}
    student, teacher = Signals(features={"map": MAP}), Signals(features={"map": OTHER})
    hint, attention = (kind("map", "map", variant="mean-square") for kind in (Hint, AttentionTransfer))
    hint.build(shape, shape)
    side = {"module_path": "tap", "io": "output"}
    squares = mid_level.SimpleLossWrapper(
        nn.MSELoss(), input={**side, "is_from_teacher": False}, target={**side, "is_from_teacher": True}
    )
    maps = mid_level.ATLoss(PAIRS, mode="code")
    return {
        "MSELoss": Pair(
            "hint", lambda: squares(said(MAP), said(OTHER), None), lambda: added(hint(student, teacher, BATCH))
        ),
        "ATLoss": Pair(
            "attention-transfer",
            lambda: maps(said(MAP), said(OTHER)),
            lambda: added(attention(student, teacher, BATCH)),
        ),
    }


def on_maps_alone() -> dict[str, Pair]:
    """The losses themselves, without the layers that ours would train before them."""
    from torchdistill.losses import mid_level

    factors, context = mid_level.FTLoss(p=1), mid_level.HierarchicalContextLoss(*PATHS)
    boundaries, information = mid_level.AltActTransferLoss(PAIRS, 1.0, "mean"), mid_level.VIDLoss(PAIRS)

    def variance() -> Tensor:
        return F.softplus(ALPHA) + 1e-5

    return {
        "VIDLoss": Pair(
            "vid",
            lambda: information(said((MAP, variance()[:, None, None])), said(OTHER)),
            lambda: vid_rows(MAP, OTHER, variance(), "mean").mean(),
        ),
        "FTLoss": Pair(
            "factor-transfer",
            lambda: factors({"translator": {"output": MAP}}, {"paraphraser": {"output": OTHER}}),
            lambda: factor_transfer_rows(MAP, OTHER, 1, "mean").mean(),
        ),
        "AltActTransferLoss": Pair(
            "activation-boundaries",
            lambda: boundaries(said(MAP), said(OTHER)),
            lambda: activation_boundaries_rows(MAP, OTHER).mean(),
        ),
        "HierarchicalContextLoss": Pair(
            "review",
            lambda: context(said((MAP, None)), said(OTHER)),
            lambda: hierarchical_rows(MAP, OTHER).mean(),
        ),
    }


def flows() -> Pair:
    """Two maps a side."""
    from torchdistill.losses import mid_level

    sides = [f"{who}_{which}" for who in ("student", "teacher") for which in ("first", "second")]
    loss = mid_level.FSPLoss({"pair": {side: {"path": side, "io": "output"} for side in sides}})
    mine, theirs = (
        {side: {"output": each} for side, each in zip(names, maps, strict=True)}
        for names, maps in ((sides[:2], (MAP, MAP_2)), (sides[2:], (OTHER, OTHER_2)))
    )
    return Pair(
        "fsp", lambda: loss(mine, theirs), lambda: fsp_rows(flow(MAP, MAP_2), flow(OTHER, OTHER_2)).mean(), None
    )


def contrasts() -> Pair:
    """Embeddings, 1,023 negatives a row, the paper's critic, and the memory's update on both sides."""
    from torchdistill.losses import mid_level

    ours = CRD("map", "map", memory=NEGATIVES + 1 - ROWS, examples=50_000)
    shape = {"map": (64, 7, 7)}
    torch.manual_seed(0)
    ours.build(shape, shape)
    remembered = 4096
    theirs = mid_level.CRDLoss("mine", "supplement", "other", 128, remembered, NEGATIVES, 50_000)
    embed = [nn.Linear(64, 128) for _ in range(2)]
    random = torch.Generator().manual_seed(0)
    drawn_rows = torch.randint(remembered, (ROWS, NEGATIVES + 1), generator=random)
    drawn_rows[:, 0] = BATCH.ids
    supplement = {"input": {"pos_idx": BATCH.ids, "contrast_idx": drawn_rows}}  # its own draw fails in 1.1.5

    def their_step() -> Tensor:
        s, t = (F.normalize(each(side.mean(dim=(2, 3)))) for each, side in zip(embed, (MAP, OTHER), strict=True))
        return theirs({"mine": {"output": s}, "supplement": supplement}, {"other": {"output": t}}).sum()

    student, teacher = Signals(features={"map": MAP}), Signals(features={"map": OTHER})
    leaves = [*ours.parameters(), *(parameter for each in embed for parameter in each.parameters())]
    return Pair("crd", their_step, lambda: added(ours(student, teacher, BATCH)), None, tuple(leaves))


def reviews() -> Pair:
    """Fusions and losses of two stages; theirs have a batch normalisation behind each convolution."""
    from torchdistill.losses import mid_level
    from torchdistill.models.wrapper import AttentionBasedFusion

    ours = objective("review")
    upper, lower = (AttentionBasedFusion(32, 256, 64, uses_attention=gated) for gated in (False, True))
    context = mid_level.HierarchicalContextLoss(*PATHS)

    def their_step() -> Tensor:
        deep, passed_on = upper(STUDENT.features["map-2"])
        shallow = lower(STUDENT.features["map"], passed_on, 7)
        return context(said((deep, None)), said(OTHER_2)) + context(said(shallow), said(OTHER))

    leaves = [*ours.parameters(), *upper.parameters(), *lower.parameters()]
    return Pair("review", their_step, lambda: added(ours(STUDENT, TEACHER, BATCH)), None, tuple(leaves))
