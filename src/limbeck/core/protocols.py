"""The roles that the training loop is handed. It knows nothing about who fills them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from limbeck.core.batch import Batch
from limbeck.core.needs import Needs, Shapes
from limbeck.core.signals import Signals


@runtime_checkable
class SignalSource(Protocol):
    """Whoever speaks for the teacher: a live model, a study guide, an ensemble of either."""

    def signals(self, batch: Batch) -> Signals:
        """What the teacher says about each row; detached, float32, on the batch's device."""
        ...


class Evaluate(Protocol):
    """Qualities of a model on held-out examples, by name (`val/accuracy`, `val/loss`, ...)."""

    def __call__(self, model: nn.Module) -> Mapping[str, float]:
        """Evaluates in eval mode without gradients and leaves the model as it was found."""
        ...


class Follow(Protocol):
    """Whoever watches a training: trackers."""

    def __call__(self, history: Sequence[Mapping[str, Any]], /) -> None:
        """Is shown all rows so far; again whenever there are more, and after a resumption."""
        ...


class Batches(Protocol):
    """Training batches, addressed by step so that a run can continue anywhere."""

    def from_step(self, step: int) -> Iterator[Batch]:
        """An endless iterator whose first item is the batch of optimiser step `step` (0-based)."""
        ...


class Objective(Protocol):
    """What is minimised; `limbeck.objectives.WeightedSum` fills this role, and is an `nn.Module`."""

    def needs(self) -> Needs:
        """Everything that any part reads."""
        ...

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes bridges and memories from the shapes at the taps; once, before the optimiser sees the parameters."""
        ...

    def needs_teacher(self, progress: float) -> bool:
        """Whether the teacher must be asked at this share of training (0..1)."""
        ...

    def masses(self, batch: Batch) -> Sequence[float]:
        """How much of a batch each part is a mean over."""
        ...

    def __call__(
        self,
        student: Signals,
        teacher: Signals | None,
        batch: Batch,
        progress: float = 0.0,
        shares: Sequence[float] | None = None,
    ) -> Mapping[str, Tensor]:
        """Weighted scalars by name; their sum is the loss. `shares`: what share of each part's mass this batch has."""
        ...
