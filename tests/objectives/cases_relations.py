"""Objectives on relations between the rows of a batch."""

from functools import partial

import torch

from limbeck.objectives import PKT, CorrelationCongruence, RKDAngle, RKDDistance, SimilarityPreserving

from . import references_relations as references
from .case import Case, both_logits
from .worlds import features_world

TAPS = ("tap", "tap")
UNLIKE = features_world((3, 2, 2), (7,))
"""A grid beside a vector: relations do not care."""


def scaled(tensor):
    return 3 * tensor


def moved(tensor):
    return tensor + torch.linspace(1, 2, tensor[0].numel(), dtype=tensor.dtype).reshape(tensor.shape[1:])


def turned(tensor):
    """A rotation: of the axes of what is flattened."""
    flat = tensor.flatten(1)
    random = torch.Generator().manual_seed(3)
    turn = torch.linalg.qr(torch.randn(flat.shape[1], flat.shape[1], generator=random, dtype=flat.dtype)).Q
    return (flat @ turn).reshape(tensor.shape)


def cases(method, kind, reference, same, **settings):
    """Over logits, over taps of unlike shapes, and with pairs of which one does not count."""
    name = ", ".join([method, *(f"{key} {value}" for key, value in settings.items())])
    stretch = 1.0 if settings.get("kernel") == "bilinear" else 1e3
    case = partial(Case, method=method, reference=reference, same=same, divergence=True, stretch=stretch)
    return (
        case(name, make=partial(kind, **settings), plain=both_logits),
        case(f"{name}, taps", make=partial(kind, *TAPS, **settings), world=UNLIKE),
    )


CASES = (
    *cases("rkd-distance", RKDDistance, references.rkd_distance(), (scaled, moved, turned)),
    *cases("rkd-distance", RKDDistance, references.rkd_distance("code"), (scaled, moved, turned), variant="code"),
    *cases("rkd-angle", RKDAngle, references.rkd_angle(), (scaled, moved, turned)),
    *cases("rkd-angle", RKDAngle, references.rkd_angle("code"), (scaled, moved, turned), variant="code"),
    *cases("similarity-preserving", SimilarityPreserving, references.over_pairs(references.gram), (scaled, turned)),
    *cases(
        "correlation-congruence",
        CorrelationCongruence,
        references.over_pairs(references.gaussian(0.4, 2)),
        (scaled, turned),
    ),
    *cases(
        "correlation-congruence",
        CorrelationCongruence,
        references.over_pairs(references.gaussian(0.7, 4)),
        (scaled, turned),
        gamma=0.7,
        order=4,
    ),
    *cases(
        "correlation-congruence",
        CorrelationCongruence,
        references.over_pairs(references.bilinear),
        (turned,),
        kernel="bilinear",
    ),
    *cases("pkt", PKT, references.pkt(), (scaled, turned)),
    *cases("pkt", PKT, references.pkt("code"), (scaled, turned), variant="code"),
)
