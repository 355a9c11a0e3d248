"""Similarity-preserving distillation (SP): pairs alike for the teacher are alike for the student."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.reading import read_vectors, taps_needed
from limbeck.objectives.relations import mean_over_pairs, relatives, unit
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="similarity-preserving",
    summary="The student keeps which examples of a batch excite a layer alike: the rows of its Gram matrix.",
    needs="logits or one tap a side, of any shapes; padded tokens are left out; no labels",
    cost="one Gram matrix a side, batch^2 x width products",
    memory="batch^2 numbers a side",
    variants="none; rows have the L2 norm of the paper, not the L1 norm of some code",
    helps="teacher and student of unlike widths; transfer between domains",
    hurts="small batches; layers after a ReLU whose every two rows are alike, where there is little to keep",
    paper="Tung, Mori 2019, Similarity-Preserving Knowledge Distillation, ICCV, arXiv 1907.09682, equation 4",
    suggested="weight 3000 as in the paper (the value is small: a mean over batch^2 pairs); the last block; batch 128",
)


def similarities(rows: Float[Tensor, "b d"]) -> Float[Tensor, "b b"]:
    """The Gram matrix with every row scaled to length 1."""
    return unit(rows @ rows.T)


def similarity_preserving(
    student: Float[Tensor, "b s"], teacher: Float[Tensor, "b t"], weight: Float[Tensor, " b"] | None = None
) -> Float[Tensor, ""]:
    """`1 / b^2 ||G_t - G_s||_F^2` between Gram matrices whose rows have length 1; 0..4 / b.

    Args:
        student: one vector a row.
        teacher: likewise, of any width; no gradient flows into it.
        weight: one number a row; a pair counts with the product of its rows'.

    Example:
        >>> import torch
        >>> rows = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
        >>> similarity_preserving(3 * rows, rows).item() < 1e-12
        True
    """
    mine, other, weights, _ = relatives(student, teacher, weight, CARD.name)
    return mean_over_pairs(F.mse_loss(similarities(mine), similarities(other), reduction="none"), weights)


class SimilarityPreserving(Objective):
    """Similarities between examples; the value couples a batch, which processes gather.

    Args:
        student: path of the student's tap; `None` reads logits.
        teacher: path of the teacher's tap; `None` reads logits.

    Example:
        >>> import torch
        >>> objective = SimilarityPreserving()
        >>> objective(torch.eye(3), torch.tensor([[0.0], [2.0], [3.0]])).item() > 0
        True
    """

    couples_batch = True

    def __init__(self, student: str | None = None, teacher: str | None = None) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher

    def needs(self) -> Needs:
        """One tap a side, or logits."""
        return taps_needed(self.student, self.teacher)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"similarity-preserving": scalar}`."""
        both = read_vectors(CARD.name, (student, self.student), (teacher, self.teacher), batch)
        return {CARD.name: self.on_tensors(*both, batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for two representations of the same rows."""
        return similarity_preserving(student.flatten(1), other.flatten(1), weight)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
