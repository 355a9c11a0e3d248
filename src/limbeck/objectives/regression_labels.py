r"""Regression against the data's own values: squared or Huber's error."""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import columns, labels
from limbeck.objectives.ranges import check_choice, check_positive
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.regression_targets import regression_rows
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="regression-labels",
    summary="Squared or Huber's error against the data's own values; unlabelled rows are left out.",
    needs="labels; regression",
    cost="batch x outputs differences",
    memory="batch x outputs numbers",
    variants="error: squared, huber (linear beyond delta)",
    helps="where true values are many and the teacher errs",
    hurts="where values are noisy or few and the student can memorise them",
    paper="Huber 1964 for the robust form",
    suggested="weight 0 to 0.5 beside regression-targets",
)


class RegressionLabels(Objective):
    """Squared or Huber's error, mean over outputs and the weight of the *labelled* rows (0 where there are none).

    Args:
        error: "squared" or "huber".
        delta: where Huber's error turns straight, > 0, in the values' unit.

    Raises:
        RecipeError: `error` is another word, or `delta` is not positive and finite.

    Example:
        >>> import torch
        >>> RegressionLabels("huber")(torch.zeros(1, 1), torch.tensor([3.0]))
        tensor(2.5000)
    """

    def __init__(self, error: Literal["squared", "huber"] = "squared", delta: float = 1.0) -> None:
        super().__init__()
        check_choice("error", error, ("squared", "huber"))
        check_positive("delta", delta)
        self.error: Literal["squared", "huber"] = error
        self.delta = delta

    def needs(self) -> Needs:
        """Labels, and no teacher."""
        return Needs(teacher=False, labels=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"regression-labels": scalar}`; the teacher is not listened to, unlabelled rows are left out."""
        del teacher
        if student.logits is None:
            raise ModelError("regression-labels needs the student's outputs")
        target, labelled = labels("regression-labels", batch)
        return {"regression-labels": weighted_mean(self._rows(student.logits, target), batch.weight, labelled)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for values of shape `(b, outputs)` and as many true ones; `(b,)` will do for one output."""
        return weighted_mean(self._rows(student, other), weight)

    def _rows(self, values: Tensor, target: Tensor) -> Tensor:
        values, target = columns(values), columns(target)
        if values.shape != target.shape:
            raise ModelError(
                f"regression-labels compares outputs of shape {tuple(values.shape)} with as many true values; got "
                f"{tuple(target.shape)}"
            )
        return regression_rows(values, target, self.error, self.delta)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
