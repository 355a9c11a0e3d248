"""Objectives on relations between the rows of a batch."""

from functools import partial

from limbeck.objectives import PKT, CorrelationCongruence, RKDAngle, RKDDistance, SimilarityPreserving

from . import references_relations as references
from .case import Case, both_logits
from .changes import moved, scaled, tokens_turned, turned
from .worlds import features_world

TAPS = ("tap", "tap")
UNLIKE = features_world((3, 2, 2), (7,))
"""A grid beside a vector: relations do not care."""
PADDED = features_world((5, 3), (5, 2), real=5)


def cases(method, kind, reference, same, **settings):
    """Over logits, over taps of unlike shapes, and over sequences with padding."""
    name = ", ".join([method, *(f"{key} {value}" for key, value in settings.items())])
    stretch = 1.0 if settings.get("kernel") == "bilinear" else 1e3
    case = partial(Case, method=method, reference=reference, divergence=True, stretch=stretch)
    of_tokens = tuple(tokens_turned if change is turned else change for change in same if change is not moved)
    return (
        case(name, make=partial(kind, **settings), plain=both_logits, same=same),
        case(f"{name}, taps", make=partial(kind, *TAPS, **settings), world=UNLIKE, same=same),
        *(() if settings else (case(f"{name}, padded", make=partial(kind, *TAPS), world=PADDED, same=of_tokens),)),
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
