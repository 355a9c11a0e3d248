"""Which objective may read which signal: one table, published in the docs and enforced when a run is planned."""

from collections.abc import Mapping
from dataclasses import dataclass

from limbeck.core.needs import Needs
from limbeck.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Support:
    """One cell of the table.

    Attributes:
        verdict: "exact", "unbiased", "biased" or "refused".
        why: in a sentence.
    """

    verdict: str
    why: str


SIGNALS: Mapping[str, str] = {
    "logits": "all logits, float32 (float16: within 1e-3 on one step's loss and gradient)",
    "top-k": "the k largest logits, the row's maximum, and the tail's mass at declared temperatures",
    "sampled": "classes drawn from the teacher's distribution at one temperature",
}
"""Signal -> what is written down."""

_RELATIONS: Mapping[str, Support] = {
    "logits": Support("exact", "the formula of the paper, on logits or on taps"),
    "top-k": Support("refused", "relations between rows need all logits; exact where it reads taps"),
    "sampled": Support("refused", "relations between rows need all logits; exact where it reads taps"),
}
_ALL_LOGITS: Mapping[str, Support] = {
    "logits": Support("exact", "the formula of the paper"),
    "top-k": Support("refused", "it reads every logit, and the tail's are not written"),
    "sampled": Support("refused", "it reads every logit, and none is written"),
}
_VECTORS: Mapping[str, Support] = {
    "logits": Support("exact", "the formula of the paper, on outputs or on taps"),
    "top-k": Support("refused", "it compares whole outputs, and only part is written; exact where it reads taps"),
    "sampled": Support("refused", "it compares whole outputs, and none is written; exact where it reads taps"),
}
_NO_TEACHER: Mapping[str, Support] = {signal: Support("exact", "no teacher is read") for signal in SIGNALS}

_FEATURES: Mapping[str, Support] = {
    "logits": Support("exact", "taps are read, no logits"),
    "top-k": Support("exact", "taps are read, no logits"),
    "sampled": Support("exact", "taps are read, no logits"),
}

SUPPORT: Mapping[str, Mapping[str, Support]] = {
    "soft-targets": {
        "logits": Support("exact", "the formula of the paper"),
        "top-k": Support("biased", "a lower bound of the KL, at declared temperatures only"),
        "sampled": Support("unbiased", "value and gradient, at the sampled temperature only"),
    },
    "teacher-labels": {
        "logits": Support("exact", "the top class"),
        "top-k": Support("exact", "the top class is among the top k"),
        "sampled": Support("refused", "the class drawn most often need not be the top class"),
    },
    "hard-labels": _NO_TEACHER,
    "rkd-distance": _RELATIONS,
    "rkd-angle": _RELATIONS,
    "similarity-preserving": _RELATIONS,
    "correlation-congruence": _RELATIONS,
    "pkt": _RELATIONS,
    "reverse-kl": _ALL_LOGITS,
    "jensen-shannon": _ALL_LOGITS,
    "skew-kl": _ALL_LOGITS,
    "logit-mse": _ALL_LOGITS,
    "dkd": _ALL_LOGITS,
    "dist": _ALL_LOGITS,
    "cwtm": _ALL_LOGITS,
    "dkpp": _ALL_LOGITS,
    "binary-targets": _ALL_LOGITS,
    "binary-labels": _NO_TEACHER,
    "regression-targets": _ALL_LOGITS,
    "regression-labels": _NO_TEACHER,
    "bounded-regression": _ALL_LOGITS,
    "embedding": _VECTORS,
    "margin-mse": _ALL_LOGITS,
    "hint": _FEATURES,
    "attention-transfer": _FEATURES,
    "channel-wise": _FEATURES,
    "nst": _FEATURES,
    "vid": _FEATURES,
    "mgd": _FEATURES,
    "pkd": _FEATURES,
    "tinybert-hidden": _FEATURES,
    "activation-boundaries": _FEATURES,
    "factor-transfer": _FEATURES,
    "fsp": _FEATURES,
    "attention-relations": _FEATURES,
    "review": _FEATURES,
    "ofa": _ALL_LOGITS,
    "crd": _FEATURES,
    "gradient-attention": {
        "logits": Support("exact", "with a live teacher; no guide holds gradients"),
        "top-k": Support("refused", "no guide holds gradients by the input"),
        "sampled": Support("refused", "no guide holds gradients by the input"),
    },
}
"""Objective -> signal -> what comes of it."""


TAPS_INSTEAD = frozenset({"embedding", *(name for name, row in SUPPORT.items() if row is _RELATIONS)})
"""Objectives that read no logits where their taps are named."""


def support(method: str, needs: Needs) -> Mapping[str, Support]:
    """Signal -> what comes of one objective, which may read less than its method does at most.

    Args:
        method: its recipe name.
        needs: what it reads.

    Example:
        >>> from limbeck.objectives import PKT
        >>> [support("pkt", each.needs())["top-k"].verdict for each in (PKT(), PKT("layer2", "blocks.3"))]
        ['refused', 'exact']
    """
    return _FEATURES if needs.teacher_taps and method in TAPS_INSTEAD else SUPPORT[method]


def require(method: str, signal: str, needs: Needs) -> Support:
    """The table's cell, unless it is a refusal.

    Args:
        method: an objective's recipe name.
        signal: a signal's name.
        needs: what this objective reads.

    Returns:
        The cell.

    Raises:
        RecipeError: the objective may not read the signal.

    Example:
        >>> require("soft-targets", "sampled", Needs()).verdict
        'unbiased'
    """
    row = support(method, needs)
    if row[signal].verdict == "refused":
        fine = [name for name, other in row.items() if other.verdict != "refused"]
        why = f"{method} cannot read the signal {signal!r}: {row[signal].why}"
        raise RecipeError(f"{why}; use one of: {', '.join(fine)}")
    return row[signal]
