"""RKD, distances: the student keeps how far examples lie apart, each distance in units of the batch's mean."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.ranges import check_choice
from limbeck.objectives.reading import read_vectors, taps_needed
from limbeck.objectives.relations import differences, inverse_root, mean_over, others, relatives
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="rkd-distance",
    summary="The student keeps the distances between examples, in units of their mean.",
    needs="logits or one tap a side, of any widths; padded tokens are left out; no labels",
    cost="batch^2 distances a side, batch^2 x width products",
    memory="batch^2 numbers a side",
    variants="variant: paper (pairs of different rows), code (the authors' mean also counts each row with itself)",
    helps="embeddings and retrieval, where what matters is who is near whom; student and teacher of unlike widths",
    hurts="small batches, where the mean distance is noise; beside a classifier's own loss a large weight pulls the "
    "scale of the last layer about",
    paper="Park, Kim, Lu, Cho 2019, Relational Knowledge Distillation, arXiv 1904.05068, equations 5 to 8",
    suggested="weight 25 beside hard labels, as in the paper; batches of 64 and more; the layer before the classifier",
)


def relative_distances(rows: Float[Tensor, "b d"], pairs: Bool[Tensor, "b b"]) -> Float[Tensor, "b b"]:
    """Euclidean distances over their mean among `pairs`; 0 where all rows are the same."""
    _, squared = differences(rows)
    distance = squared * inverse_root(squared)  # the root, with zero gradient at 0
    mean = mean_over(distance, pairs.to(distance.dtype))
    return distance / torch.where(mean > 0, mean, 1)


def rkd_distance(
    student: Float[Tensor, "b s"],
    teacher: Float[Tensor, "b t"],
    weight: Float[Tensor, " b"] | None = None,
    variant: str = "paper",
) -> Float[Tensor, ""]:
    """Huber loss (delta 1) between relative distances, the mean over ordered pairs of different rows.

    The paper prints a sum over pairs; its weights (25) go with the mean of the authors' code.

    Args:
        student: one vector a row.
        teacher: likewise, of any width; no gradient flows into it.
        weight: one number a row; a pair counts with the product of its rows'.
        variant: "paper", or "code": the authors' mean also counts each row's distance of 0 to itself.

    Returns:
        0 where all relative distances agree, at most linear in them where they do not.

    Example:
        >>> line = torch.tensor([[0.0], [1.0], [3.0]])
        >>> rkd_distance(5 * line, line).item() < 1e-12
        True
    """
    mine, other, weights, counts = relatives(student, teacher, weight, CARD.name)
    pairs = others(counts)
    loss = F.smooth_l1_loss(relative_distances(mine, pairs), relative_distances(other, pairs), reduction="none")
    over = weights[:, None] * weights
    return mean_over(loss, over if variant == "code" else over * pairs)


class RKDDistance(Objective):
    """Distances between examples, relative to their mean; the value couples a batch, which processes gather.

    Args:
        student: path of the student's tap; `None` reads logits.
        teacher: path of the teacher's tap; `None` reads logits.
        variant: "paper" or "code"; see `rkd_distance`.

    Raises:
        RecipeError: there is no such variant.

    Example:
        >>> objective = RKDDistance()
        >>> objective(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[0.0], [2.0], [3.0]])).item() > 0
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
        """`{"rkd-distance": scalar}`."""
        both = read_vectors(CARD.name, (student, self.student), (teacher, self.teacher), batch)
        return {CARD.name: self.on_tensors(*both, batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for two representations of the same rows."""
        return rkd_distance(student.flatten(1), other.flatten(1), weight, self.variant)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
