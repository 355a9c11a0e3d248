"""The teacher's hard labels: learn its top class and nothing else (pseudo-labels, Lee 2013)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError, RecipeError
from limbeck.objectives.card import MethodCard
from limbeck.objectives.hard_labels import cross_entropy_rows
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.text import number

CARD = MethodCard(
    name="teacher-labels",
    summary="Cross-entropy against the teacher's top class: labels without softness.",
    needs="teacher logits; multiclass; no labels",
    cost="one softmax, batch x classes",
    memory="batch x classes numbers",
    variants="label_smoothing",
    helps="as the control that tells whether soft targets help by their softness or only by labelling more data",
    hurts="where the teacher is often unsure: its doubt is thrown away",
    paper="Lee 2013, Pseudo-Label, ICML workshop on challenges in representation learning",
    suggested="label_smoothing 0 to 0.2",
)


class TeacherLabels(Objective):
    """Cross-entropy against the teacher's argmax, mean over the batch's weight; NaN where the teacher says NaN.

    Args:
        label_smoothing: share of the target spread evenly over all classes, 0 <= s < 1.

    Raises:
        RecipeError: `label_smoothing` is out of range.

    Example:
        >>> import torch
        >>> TeacherLabels()(torch.zeros(1, 4), torch.tensor([[0.0, 9.0, 0.0, 0.0]]))
        tensor(1.3863)
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise RecipeError(f"label_smoothing: {label_smoothing} is not in [0, 1)")
        self.label_smoothing = label_smoothing

    def needs(self) -> Needs:
        """The teacher's logits."""
        return Needs(teacher=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"teacher-labels": scalar}`."""
        if student.logits is None or teacher is None:
            raise ModelError("teacher-labels needs the student's logits and a teacher's answer; give a teacher")
        if teacher.logits is None and teacher.top is not None:
            rows = cross_entropy_rows(student.logits, teacher.top.index[:, 0].long(), self.label_smoothing)
            return {"teacher-labels": weighted_mean(rows, batch.weight)}
        if teacher.logits is None:
            raise ModelError(
                "teacher-labels needs the teacher's top class; write the guide with signal: logits or top-k"
            )
        return {"teacher-labels": self.on_tensors(student.logits, teacher.logits, batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for student and teacher logits of shape `(b, classes)`."""
        check_alike(student, other)
        rows = cross_entropy_rows(student, other.argmax(dim=1), self.label_smoothing)
        unknown = other.isnan().any(dim=1)  # argmax would name a class even here
        return weighted_mean(torch.where(unknown, torch.nan, rows), weight)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return f"label_smoothing={number(self.label_smoothing)}" if self.label_smoothing else ""
