"""`Signals`: what a model, live or remembered, says about a batch; and `SignalSpec`, what is asked of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class TopK:
    """The `k` largest logits of each row, and what re-tempering needs of the rest.

    Attributes:
        index: class indices, the largest logit first; any integer type.
        logits: their logits, float32.
        temperatures: temperatures at which the tail is known.
        tail: `logsumexp(z_j / T)` over all classes outside the top `k`, one column a temperature; -inf where `k` is
            the number of classes.
    """

    index: Int[Tensor, "b k"]
    logits: Float[Tensor, "b k"]
    temperatures: tuple[float, ...]
    tail: Float[Tensor, "b temperatures"]


@dataclass(frozen=True, slots=True)
class Sampled:
    """Classes drawn from the teacher's distribution at one temperature (random sampling KD, Anshumann et al. 2025).

    Attributes:
        index: class drawn, `draws` of them with replacement; any integer type.
        temperature: of the distribution they were drawn from.
        entropy: of that distribution, nats; it makes a KL of the cross-entropy.
    """

    index: Int[Tensor, "b draws"]
    temperature: float
    entropy: Float[Tensor, " b"]


@dataclass(frozen=True, slots=True)
class Signals:
    """Outputs of one model for one batch, row for row.

    Attributes:
        logits: scores before any softmax or sigmoid, one row an example. For multiclass tasks `(b, classes)`.
        features: activations read at taps, by the tap's path; any shape whose first axis is the batch.
        top: the largest logits only.
        sampled: drawn classes only.
        input_gradient: of each row's cross-entropy, by its raw inputs; only a live model gives it.
    """

    logits: Float[Tensor, "b *outputs"] | None = None
    features: Mapping[str, Tensor] = field(default_factory=dict)
    top: TopK | None = None
    sampled: Sampled | None = None
    input_gradient: Float[Tensor, "b *inputs"] | None = None
