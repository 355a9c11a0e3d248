"""`Objective`: the role every method fills, and the arithmetic that lets methods add up."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, overload

from jaxtyping import Bool
from torch import Tensor, nn

from limbeck.core.batch import Batch
from limbeck.core.needs import Needs, Shapes
from limbeck.core.signals import Signals

__all__ = ["Needs", "Objective", "Shapes", "labelled"]

if TYPE_CHECKING:
    from limbeck.objectives.schedule import Schedule
    from limbeck.objectives.weighted import WeightedSum


class Objective(nn.Module, ABC):
    """One thing to imitate. `forward` gives unweighted scalars by term name; weights belong to `WeightedSum`.

    Attributes:
        couples_batch: whether the value depends on which examples share a batch (then it changes with the split).
    """

    couples_batch: bool = False

    @abstractmethod
    def needs(self) -> Needs:
        """Names the taps and signals it reads."""

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes bridges and memories once the shapes of all tapped activations are known; most need nothing.

        It is called once, before the optimiser sees the parameters; modules made here are trained with the student,
        saved in checkpoints, and dropped afterwards.

        Args:
            student: path of a tap -> shape of its activation, without the batch axis.
            teacher: likewise.
        """
        del student, teacher

    def check_outputs(self, outputs: int) -> None:
        """Refuses a width of the models' last axis that it cannot work with; most work with any.

        It is called when a run is planned, so that nothing is trained in vain.

        Args:
            outputs: of student and teacher; as many as classes in a multiclass task.

        Raises:
            InputError: says why, and what to use instead.
        """
        del outputs

    @overload
    def forward(self, student: Tensor, teacher: Tensor, batch: None = None) -> Tensor: ...

    @overload
    def forward(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]: ...

    def forward(
        self, student: Signals | Tensor, teacher: Signals | Tensor | None, batch: Batch | None = None
    ) -> Mapping[str, Tensor] | Tensor:
        """On signals: unweighted scalars by term name. Output objectives also take two plain tensors: the scalar."""
        if isinstance(student, Signals) and not isinstance(teacher, Tensor) and batch is not None:
            return self.terms(student, teacher, batch)
        if isinstance(student, Tensor) and isinstance(teacher, Tensor):
            return self.on_tensors(student, teacher)
        raise TypeError(f"{type(self).__name__} takes two tensors, or two signals and their batch")

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for the student's output and what it is compared with; objectives on features have none."""
        del student, other, weight
        raise TypeError(f"{type(self).__name__} reads activations: call it on signals and their batch")

    def mass(self, batch: Batch) -> float:
        """What the terms are means over: the weight of the batch's rows, of the labelled ones where labels are needed.

        Means over pieces of a batch, weighted by it, add up to the mean over the whole. Who leaves out other rows, or
        none, says so here.
        """
        counted = labelled(batch) if self.needs().labels else None
        if counted is None:
            return float(len(batch)) if batch.weight is None else float(batch.weight.sum())
        return float(counted.sum() if batch.weight is None else batch.weight[counted].sum())

    @abstractmethod
    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """Unweighted scalars by term name."""

    def __mul__(self, weight: "float | Schedule") -> "WeightedSum":
        from limbeck.objectives.weighted import WeightedSum

        return WeightedSum([(weight, self)], partial=True)

    __rmul__ = __mul__

    def __add__(self, other: "Objective | WeightedSum") -> "WeightedSum":
        return self * 1.0 + other

    def __radd__(self, other: object) -> "WeightedSum":
        return self * 1.0 if other == 0 else NotImplemented  # sum([a, b]) begins with 0

    def __truediv__(self, divisor: float) -> "WeightedSum":
        from limbeck.objectives.schedule import reciprocal

        return self * reciprocal(divisor)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"


def labelled(batch: Batch) -> Bool[Tensor, " b"] | None:
    """Which rows have a label, and where views mix, a partner with one; `None`: all."""
    mask, mix = batch.target_mask, batch.mix
    if mix is None or mix.target_mask is None:
        return mask
    known = mix.target_mask | (mix.share == 1)  # a row that was left alone needs no partner's label
    return known if mask is None else mask & known
