r"""Margin MSE: by how much one document beats another, whatever the scores' range (Hofstaetter et al. 2020)."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import both_logits
from limbeck.objectives.reduce import full_precision, weighted_mean
from limbeck.objectives.shapes import check_alike

CARD = MethodCard(
    name="margin-mse",
    summary="The student's score margin between a query's first document and each other is the teacher's margin.",
    needs="teacher scores, one row a query, one column a document, the positive first; ranking; no labels",
    cost="batch x outputs differences",
    memory="batch x outputs numbers",
    variants="none",
    helps="a ranker of another kind than its teacher, whose scores have another range: only margins are compared",
    hurts="negatives that are all easy: large margins that nobody needs take all of the loss",
    paper="Hofstaetter et al. 2020, arXiv 2010.02666, equation 7",
    suggested="one hard negative a query to start with; more columns average over more",
)


def margin_mse_rows(
    student_scores: Float[Tensor, "b documents"], teacher_scores: Float[Tensor, "b documents"]
) -> Float[Tensor, " b"]:
    r"""Mean over j > 0 of `((s_0 - s_j) - (t_0 - t_j))^2` of each row.

    How pairs stand in a batch: one row is one query, its columns are scores of documents for it; column 0 is the
    positive, every further column a negative. With two columns it is the paper's formula.

    Args:
        student_scores: at least two columns.
        teacher_scores: likewise; no gradient flows into them.

    Example:
        >>> import torch
        >>> margin_mse_rows(torch.tensor([[1.0, 0.0]]), torch.tensor([[9.0, 5.0]]))
        tensor([9.])
    """
    difference = full_precision(student_scores) - full_precision(teacher_scores.detach())
    return (difference[:, :1] - difference[:, 1:]).square().mean(dim=1)


class MarginMSE(Objective):
    """Mean squared difference of margins, mean over the weight of the queries (rows).

    A row is one query; its columns are the scores of its documents, the positive first. Any constant added to all of a
    row's scores changes nothing.

    Example:
        >>> import torch
        >>> MarginMSE()(torch.tensor([[1.0, 0.0]]), torch.tensor([[9.0, 5.0]]))
        tensor(9.)
    """

    def needs(self) -> Needs:
        """The teacher's scores."""
        return Needs(teacher=True)

    def check_outputs(self, outputs: int) -> None:
        """At least two documents a query.

        Raises:
            ModelError: there is one.
        """
        if outputs < 2:
            raise ModelError("margin-mse needs at least two documents a query, the positive first; got one score a row")

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"margin-mse": scalar}`."""
        return {"margin-mse": self.on_tensors(*both_logits("margin-mse", student, teacher), batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for scores of shape `(queries, documents)`, the positive document first."""
        check_alike(student, other)
        self.check_outputs(student.shape[1])
        return weighted_mean(margin_mse_rows(student, other), weight)
