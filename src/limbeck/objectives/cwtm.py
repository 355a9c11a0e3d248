"""Confidence weighted by teacher max: hard labels, where the teacher only says how much each example counts."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.card import MethodCard
from limbeck.objectives.hard_labels import cross_entropy_rows
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import both_logits, labels
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.tempered import log_probabilities

CARD = MethodCard(
    name="cwtm",
    summary="Cross-entropy against the labels, each example weighed by how sure the teacher is of its top class.",
    needs="teacher logits and labels (unlabelled rows are left out); multiclass; couples the examples of a batch",
    cost="two softmaxes, batch x classes",
    memory="batch x classes numbers a side",
    variants="none",
    helps="as a control: what soft targets gain beyond it is not only that the teacher weighs examples by importance",
    hurts="unlabelled data serve nothing; a teacher that is sure of everything leaves plain hard labels, and one that "
    "is sure and wrong weighs its own mistakes most",
    paper="Furlanello et al. 2018, Born-Again Neural Networks, arXiv 1805.04770, section 3.2, equation 9",
    suggested="alone, beside a run with soft-targets at temperature 1",
)


def teacher_max(teacher_logits: Float[Tensor, "b classes"]) -> Float[Tensor, " b"]:
    """The teacher's largest probability in each row, 1 / classes to 1; no gradient flows into it.

    Example:
        >>> import torch
        >>> teacher_max(torch.zeros(1, 4))
        tensor([0.2500])
    """
    return log_probabilities(teacher_logits.detach(), 1.0).amax(dim=1).exp()


class CWTM(Objective):
    """`sum(w_i m_i CE_i) / sum(w_i m_i)` over labels, `m_i` the teacher's largest probability, `w_i` the weight.

    The sum in the denominator is the batch's, as in the paper, so the value depends on who shares the batch. Which
    class the teacher is sure of does not matter, nor what it says of the others.

    Example:
        >>> CWTM()
        CWTM()
    """

    couples_batch = True

    def needs(self) -> Needs:
        """The teacher's logits, and labels."""
        return Needs(teacher=True, labels=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"cwtm": scalar}`; unlabelled rows are left out.

        Raises:
            ModelError: there are no labels, or views mix two examples.
        """
        given, other = both_logits(CARD.name, student, teacher)
        target, labelled = labels(CARD.name, batch)
        check_alike(given, other)
        confidence = teacher_max(other)
        weight = confidence if batch.weight is None else batch.weight.to(confidence.dtype) * confidence
        return {CARD.name: weighted_mean(cross_entropy_rows(given, target), weight, labelled)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """Refused: two tensors hold no labels.

        Raises:
            TypeError: always.
        """
        del student, other, weight
        raise TypeError("CWTM reads labels too: call it on signals and their batch")
