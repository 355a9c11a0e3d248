"""The role of a teacher that begins as ignorant as the student and learns beside it."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from limbeck.core.batch import Batch
from limbeck.core.protocols import Objective, SignalSource
from limbeck.core.runtime import Runtime
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.training.settings import TrainSettings


@runtime_checkable
class Growing(SignalSource, Protocol):
    """A teacher that belongs to one training and is part of its checkpoint: `peers`, or a `self_teacher`.

    A step asks `signals`, then trains the student on them, calls `learn` (once a piece of the batch), then `follow`.
    """

    def begin(self, model: nn.Module, objective: Objective, settings: TrainSettings, runtime: Runtime) -> None:
        """Once, before the student is prepared: `objective` is built, but has seen nothing yet."""
        ...

    def learn(self, student: Signals, batch: Batch, progress: float, shares: Sequence[float] | None) -> None:
        """Learns from the batch that it was just asked about; `student`: what that said, with its graph or without."""
        ...

    def follow(self, model: nn.Module, rate: float, done: int) -> None:
        """After the student's optimiser step number `done` (0-based), which was made at this learning rate."""
        ...

    def close(self) -> None:
        """Leaves plain modules."""
        ...

    def state_dict(self) -> Mapping[str, Tensor]:
        """Everything that its next answer and step depend on."""
        ...

    def load_state_dict(self, tensors: Mapping[str, Tensor], /) -> None:
        """The inverse, after `begin`."""
        ...


def refuse_insides(objective: Objective) -> None:
    """Refuses objectives on activations or gradients: what grows is asked for its answers alone.

    Raises:
        ModelError: the objective reads more.
    """
    if objective.needs().insides:
        raise ModelError(
            f"the objective ({objective}) reads activations or input gradients, and a teacher that grows with the "
            "student gives its answers only; use an objective on the answers (soft-targets, dkd, dist, ...)"
        )
