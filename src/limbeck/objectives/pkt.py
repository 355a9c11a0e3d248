"""Probabilistic knowledge transfer (PKT): each example's distribution over its neighbours in the batch agrees."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.ranges import check_choice
from limbeck.objectives.reading import read_vectors, taps_needed
from limbeck.objectives.relations import cosines, inverse, mean_over, relatives
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="pkt",
    summary="The student keeps how likely each example picks each other one as its neighbour.",
    needs="logits or one tap a side, of any widths; padded tokens are left out; no labels",
    cost="one matrix of cosines a side, batch^2 x width products",
    memory="batch^2 numbers a side",
    variants="variant: paper (a row is not its own neighbour, mean over rows), code (it is, mean over pairs)",
    helps="retrieval and embeddings; unlike widths; nothing to tune in the kernel",
    hurts="small batches; layers after a ReLU, whose cosines are all near each other",
    paper="Passalis, Tefas 2018, Learning Deep Representations with Probabilistic Knowledge Transfer, ECCV, "
    "arXiv 1803.10837, equations 3 to 8",
    suggested="the layer before the classifier; batches of 128; in variant code values are batch^2 times smaller, and "
    "weights of 1e4 usual",
)


_SMALLEST = 2e-7
"""Least affinity: rows that point exactly apart would make the divergence infinite."""


def affinities(rows: Float[Tensor, "b d"]) -> Float[Tensor, "b b"]:
    """`1 + cosine`, twice the paper's, which divides by their sum."""
    return F.threshold(cosines(rows).add_(1), _SMALLEST, _SMALLEST)


def log_of_sum(total: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    """0 where there are no neighbours."""
    return F.threshold(total, 0.0, 1.0).log()


def pkt(
    student: Float[Tensor, "b s"],
    teacher: Float[Tensor, "b t"],
    weight: Float[Tensor, " b"] | None = None,
    variant: str = "paper",
) -> Float[Tensor, ""]:
    """`KL(p_t || p_s)` in nats between each row's neighbours, the weighted mean over rows (the paper prints their sum).

    Args:
        student: one vector a row.
        teacher: likewise, of any width; no gradient flows into it.
        weight: one number a row.
        variant: "paper": neighbours are the other rows. "code", as the authors': a row is its own neighbour too, and
            the mean goes over all pairs, which makes the value smaller by the number of rows.

    Example:
        >>> rows = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
        >>> pkt(3 * rows, rows).item() < 1e-6
        True
    """
    mine, other, weights, counts = relatives(student, teacher, weight, CARD.name)
    among = counts.to(mine.dtype)
    near, nearer = affinities(mine), affinities(other)
    log_q, log_p = near.log(), nearer.log()
    if variant == "paper":  # no row is its own neighbour
        none = torch.zeros_like(among)
        near, nearer = near.diagonal_scatter(none), nearer.diagonal_scatter(none)
    total, other_total = near @ among, nearer @ among
    # sum(p (log p - log q)), where affinities are divided by their sums after they are added up
    apart = (nearer * log_p) @ among - (nearer * log_q) @ among
    divergence = apart * inverse(other_total) + log_of_sum(total) - log_of_sum(other_total)
    value = divergence.mean() if weight is None else mean_over(divergence, weights)
    rows = len(divergence) if weight is None else counts.sum().clamp_min(1)
    return value / rows if variant == "code" else value


class PKT(Objective):
    """Neighbours' distributions; the value couples a batch, which processes gather.

    Args:
        student: path of the student's tap; `None` reads logits.
        teacher: path of the teacher's tap; `None` reads logits.
        variant: "paper" or "code"; see `pkt`.

    Raises:
        RecipeError: there is no such variant.

    Example:
        >>> objective = PKT()
        >>> objective(torch.eye(3), torch.tensor([[0.0], [2.0], [3.0]])).item() > 0
        True
    """

    couples_batch = True

    def __init__(
        self, student: str | None = None, teacher: str | None = None, variant: Literal["paper", "code"] = "paper"
    ) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        check_choice("variant", variant, ("paper", "code"))
        self.variant = variant

    def needs(self) -> Needs:
        """One tap a side, or logits."""
        return taps_needed(self.student, self.teacher)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"pkt": scalar}`."""
        both = read_vectors(CARD.name, (student, self.student), (teacher, self.teacher), batch)
        return {CARD.name: self.on_tensors(*both, batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for two representations of the same rows."""
        return pkt(student.flatten(1), other.flatten(1), weight, self.variant)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
