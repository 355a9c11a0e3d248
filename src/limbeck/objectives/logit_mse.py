r"""Logit matching: the squared distance of the logits themselves (Ba and Caruana 2014)."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import both_logits
from limbeck.objectives.ranges import check_choice
from limbeck.objectives.reduce import full_precision, weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.tempered import standardized
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="logit-mse",
    summary="The student regresses the teacher's logits: what soft targets become at a very high temperature.",
    needs="teacher logits; multiclass, binary or multilabel; no labels",
    cost="batch x classes differences, no softmax",
    memory="batch x classes numbers a side",
    variants="centre (without each row's mean); scale: half-sum (the paper), mean (common code); standardize (logits "
    "of mean 0 and deviation 1 first)",
    helps="few classes and a student with room to match every logit; noisy labels",
    hurts="many classes: most of the capacity goes into logits of classes that never win; a teacher whose logits are "
    "large and arbitrary in their mean (then centre)",
    paper="Ba and Caruana 2014, Do Deep Nets Really Need to be Deep?, arXiv 1312.6184, equation 1",
    suggested="centre: true; scale: mean where a weight from common code is to be kept",
)


def logit_mse_rows(
    student_logits: Float[Tensor, "b classes"],
    teacher_logits: Float[Tensor, "b classes"],
    *,
    centre: bool = False,
    scale: Literal["half-sum", "mean"] = "half-sum",
    standardize: bool = False,
) -> Float[Tensor, " b"]:
    r"""`1/2 sum_c (s_c - t_c)^2` of each row.

    Args:
        student_logits: scores before the softmax.
        teacher_logits: scores before the softmax; no gradient flows into them.
        centre: whether each row's mean is taken off first: a softmax does not see it.
        scale: "half-sum" as the paper has it, or "mean" over classes without the half (torch's `mse_loss`), which is
            `2 / classes` times as much.
        standardize: whether both sides' logits are standardised first, see `standardized`; that centres them too.

    Example:
        >>> import torch
        >>> (
        ...     logit_mse_rows(torch.zeros(1, 2), torch.tensor([[3.0, 1.0]])),
        ...     logit_mse_rows(torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]), centre=True),
        ... )
        (tensor([5.]), tensor([1.]))
    """
    student, teacher = full_precision(student_logits), full_precision(teacher_logits.detach())
    difference = standardized(student) - standardized(teacher) if standardize else student - teacher
    if centre:
        difference = difference - difference.mean(dim=1, keepdim=True)
    squared = difference.square()
    return squared.mean(dim=1) if scale == "mean" else squared.sum(dim=1) / 2


class LogitMSE(Objective):
    """Half the squared distance of the logits, summed over classes, mean over the batch's weight.

    Args:
        centre: whether each row's mean is taken off first; with one output there would be nothing left.
        scale: "half-sum" (the paper's) or "mean" over classes without the half.
        standardize: whether both sides' logits are standardised first (Sun et al. 2024).

    Raises:
        RecipeError: `scale` is another word.

    Example:
        >>> import torch
        >>> LogitMSE()(torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]))
        tensor(5.)
    """

    def __init__(
        self, centre: bool = False, scale: Literal["half-sum", "mean"] = "half-sum", standardize: bool = False
    ) -> None:
        super().__init__()
        check_choice("scale", scale, ("half-sum", "mean"))
        self.centre = centre
        self.scale: Literal["half-sum", "mean"] = scale
        self.standardize = standardize

    def needs(self) -> Needs:
        """The teacher's logits."""
        return Needs(teacher=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"logit-mse": scalar}`."""
        return {"logit-mse": self.on_tensors(*both_logits("logit-mse", student, teacher), batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for student and teacher logits of shape `(b, classes)`."""
        check_alike(student, other)
        rows = logit_mse_rows(student, other, centre=self.centre, scale=self.scale, standardize=self.standardize)
        return weighted_mean(rows, weight)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
