"""Every method with the settings it is measured at, and tensors for all of them.

Batch 256, ten outputs; activations as between the Fashion-MNIST student and teacher: 32 and 64 channels of 7 x 7, or
the same numbers as 49 tokens.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.dotted import load_object
from limbeck.core.signals import Signals
from limbeck.objectives import METHODS, Objective

from .measure import Timed, added

ROWS, CLASSES = 256, 10
ONE = {"student": "map", "teacher": "map"}
TWO = {"student": ("map", "map-2"), "teacher": ("map", "map-2")}
TOKENS = {"student": "tokens", "teacher": "tokens"}
THREE = dict.fromkeys(("student", "teacher"), ("tokens", "tokens-2", "tokens-3"))
SOFT = {"temperature": 2.0}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "soft-targets": SOFT,
    "reverse-kl": SOFT,
    "jensen-shannon": SOFT,
    "skew-kl": SOFT,
    "hint": {**ONE, "variant": "mean-square"},
    "attention-transfer": {**ONE, "variant": "mean-square"},
    "channel-wise": ONE,
    "nst": ONE,
    "vid": ONE,
    "mgd": ONE,
    "activation-boundaries": ONE,
    "factor-transfer": ONE,
    "crd": ONE,
    "ofa": {"student": "map", "classes": CLASSES},
    "fsp": TWO,
    "review": TWO,
    "pkd": TOKENS,
    "tinybert-hidden": TOKENS,
    "attention-relations": {**THREE, "relation_heads": 4},
}
"""What a method is given; the others are measured with their defaults, on logits."""


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def features(channels: int, seed: int) -> dict[str, Tensor]:
    """Two maps, each a leaf, and three sequences of tokens."""
    maps = {"map": drawn(ROWS, channels, 7, 7, seed=seed), "map-2": drawn(ROWS, channels, 7, 7, seed=seed + 1)}
    tokens = {f"tokens{end}": drawn(ROWS, 49, channels, seed=seed + 2 + n) for n, end in enumerate(("", "-2", "-3"))}
    return maps | tokens


VALUES, CLASS = (
    drawn(ROWS, CLASSES, seed=2),
    torch.randint(CLASSES, (ROWS,), generator=torch.Generator().manual_seed(2)),
)
TARGETS = {"regression-labels": VALUES, "bounded-regression": VALUES, "binary-labels": (VALUES > 0).float()}
"""Labels of the methods that do not learn from classes."""
PICTURES = drawn(ROWS, 1, 28, 28, seed=20)
BATCH = Batch(torch.arange(ROWS), torch.zeros(ROWS, dtype=torch.int64), PICTURES, target=CLASS)
STUDENT = Signals(drawn(ROWS, CLASSES), features(32, 3), input_gradient=drawn(ROWS, 1, 28, 28, seed=21))
TEACHER = Signals(drawn(ROWS, CLASSES, seed=1), features(64, 10), input_gradient=drawn(ROWS, 1, 28, 28, seed=22))
LEAVES = [STUDENT.logits, STUDENT.input_gradient, *STUDENT.features.values()]
for leaf in LEAVES:
    leaf.requires_grad_()


def batch_for(method: str) -> Batch:
    return replace(BATCH, target=TARGETS.get(method, CLASS))


def objective(method: str) -> Objective:
    """Built for these tensors, always alike."""
    made: Objective = load_object(METHODS[method], trust_code=True, what="METHODS")(**SETTINGS.get(method, {}))
    torch.manual_seed(0)
    made.build(*({tap: tuple(each.shape[1:]) for tap, each in side.features.items()} for side in (STUDENT, TEACHER)))
    return made


def alone(method: str) -> Timed:
    """The objective's own part of a step."""
    made, batch = objective(method), batch_for(method)
    return Timed(lambda: added(made.terms(STUDENT, TEACHER, batch)), [*LEAVES, *made.parameters()])
