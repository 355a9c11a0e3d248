"""`Signals`: what a model, live or remembered, says about a batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Signals:
    """Outputs of one model for one batch, row for row.

    Attributes:
        logits: scores before any softmax or sigmoid, one row an example. For multiclass tasks `(b, classes)`.
        features: activations read at taps, by the tap's path; any shape whose first axis is the batch.
    """

    logits: Float[Tensor, "b *outputs"] | None = None
    features: Mapping[str, Tensor] = field(default_factory=dict)
