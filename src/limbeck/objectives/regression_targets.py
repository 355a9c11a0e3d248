r"""Regression against the teacher: squared or Huber's error of the values themselves."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import both_logits
from limbeck.objectives.ranges import check_choice, check_positive
from limbeck.objectives.reduce import full_precision, weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="regression-targets",
    summary="The student regresses the teacher's values: squared error, or Huber's where the teacher has outliers.",
    needs="teacher outputs; regression; no labels",
    cost="batch x outputs differences",
    memory="batch x outputs numbers",
    variants="error: squared, huber (linear beyond delta)",
    helps="few labels and much unlabelled data; noisy labels that the teacher has averaged out",
    hurts="a teacher with a bias of its own: it is copied (then bounded-regression)",
    paper="Huber 1964 for the robust form",
    suggested="error: squared; error: huber with delta near the noise of the values",
)


def regression_rows(
    student: Float[Tensor, "b outputs"],
    other: Shaped[Tensor, "b outputs"],
    error: Literal["squared", "huber"] = "squared",
    delta: float = 1.0,
) -> Float[Tensor, " b"]:
    """Mean over outputs of `d^2`, or of Huber's `d^2 / 2` up to `|d| = delta` and `delta (|d| - delta / 2)` beyond.

    Args:
        student: the student's values.
        other: what they should be, in any type of number; no gradient flows into them.
        error: "squared" or "huber".
        delta: where Huber's error turns straight, in the values' unit; unused for "squared".

    Example:
        >>> import torch
        >>> values, truth = torch.tensor([[0.5], [3.0]]), torch.zeros(2, 1)
        >>> regression_rows(values, truth), regression_rows(values, truth, "huber")
        (tensor([0.2500, 9.0000]), tensor([0.1250, 2.5000]))
    """
    student = full_precision(student)
    other = other.detach().to(student.dtype)
    if error == "huber":
        return F.huber_loss(student, other, reduction="none", delta=delta).mean(dim=1)
    return (student - other).square().mean(dim=1)


class RegressionTargets(Objective):
    """Squared or Huber's error against the teacher, mean over outputs and the batch's weight.

    Args:
        error: "squared" or "huber".
        delta: where Huber's error turns straight, > 0, in the values' unit.

    Raises:
        RecipeError: `error` is another word, or `delta` is not positive and finite.

    Example:
        >>> import torch
        >>> RegressionTargets()(torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]))
        tensor(5.)
    """

    def __init__(self, error: Literal["squared", "huber"] = "squared", delta: float = 1.0) -> None:
        super().__init__()
        check_choice("error", error, ("squared", "huber"))
        check_positive("delta", delta)
        self.error: Literal["squared", "huber"] = error
        self.delta = delta

    def needs(self) -> Needs:
        """The teacher's outputs."""
        return Needs(teacher=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"regression-targets": scalar}`."""
        both = both_logits("regression-targets", student, teacher)
        return {"regression-targets": self.on_tensors(*both, batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for student and teacher values of shape `(b, outputs)`."""
        check_alike(student, other)
        return weighted_mean(regression_rows(student, other, self.error, self.delta), weight)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
