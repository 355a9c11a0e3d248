r"""Teacher-bounded regression: learn the true values, but only until the teacher is beaten (Chen et al. 2017)."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import both_logits, columns, labels
from limbeck.objectives.ranges import check_at_least_zero
from limbeck.objectives.reduce import full_precision, weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="bounded-regression",
    summary="Squared error against the true values, counted only where the student is not yet better than the teacher.",
    needs="teacher outputs and labels (unlabelled rows are left out); regression",
    cost="batch x outputs differences, of student and of teacher",
    memory="batch x outputs numbers a side",
    variants="none; margin 0 is the paper's bound itself",
    helps="a student that cannot reach every value: it stops spending itself where it is already good enough",
    hurts="alone, it stops early: keep regression-labels beside it; a bad teacher switches it off too soon (margin)",
    paper="Chen et al. 2017, Learning Efficient Object Detection Models with Knowledge Distillation, equation 4",
    suggested="weight 0.5 beside regression-labels with error: huber; margin 0",
)


def bounded_regression_rows(
    student: Float[Tensor, "b outputs"],
    teacher: Float[Tensor, "b outputs"],
    target: Shaped[Tensor, "b outputs"],
    margin: float = 0.0,
) -> Float[Tensor, " b"]:
    r"""`||s - y||^2` of each row where `||s - y||^2 + m > ||t - y||^2`, else 0; summed over outputs.

    The value jumps at the bound from what it was to 0, as the paper has it.

    Args:
        student: the student's values.
        teacher: the teacher's values; no gradient flows into them.
        target: the true values, in any type of number.
        margin: m >= 0, in the values' unit squared: by how much the student must be better before it is let go.

    Example:
        >>> truth = torch.zeros(3, 1)
        >>> bounded_regression_rows(torch.tensor([[3.0], [1.0], [2.0]]), torch.full((3, 1), 2.0), truth)
        tensor([9., 0., 0.])
    """
    student, teacher = full_precision(student), full_precision(teacher.detach())
    target = target.detach().to(student.dtype)
    error, bound = (student - target).square().sum(dim=1), (teacher - target).square().sum(dim=1)
    kept = torch.where(error + margin <= bound, torch.zeros_like(error), error)
    return torch.where(bound.isnan(), torch.nan, kept)  # a comparison with NaN would let the row pass


class BoundedRegression(Objective):
    """Teacher-bounded squared error, mean over the weight of the *labelled* rows (0 where there are none).

    Args:
        margin: m >= 0, in the values' unit squared; 0 lets go as soon as the student is as good as the teacher.

    Raises:
        RecipeError: the margin is negative or infinite.

    Example:
        >>> print(BoundedRegression(margin=0.5))
        BoundedRegression(margin=0.5)
    """

    def __init__(self, margin: float = 0.0) -> None:
        super().__init__()
        check_at_least_zero("margin", margin)
        self.margin = margin

    def needs(self) -> Needs:
        """The teacher's outputs, and labels."""
        return Needs(teacher=True, labels=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"bounded-regression": scalar}`; unlabelled rows are left out."""
        given, other = both_logits("bounded-regression", student, teacher)
        target, labelled = labels("bounded-regression", batch)
        check_alike(given, other)
        if columns(target).shape != given.shape:
            raise ModelError(
                f"bounded-regression compares outputs of shape {tuple(given.shape)} with as many true values; got "
                f"{tuple(target.shape)}"
            )
        rows = bounded_regression_rows(given, other, columns(target), self.margin)
        return {"bounded-regression": weighted_mean(rows, batch.weight, labelled)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """Refused: two tensors hold no labels.

        Raises:
            TypeError: always.
        """
        del student, other, weight
        raise TypeError("BoundedRegression reads labels too: call it on signals and their batch")

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
