r"""Embeddings: the student's vector points where the teacher's does, or is the same vector."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError, RecipeError
from limbeck.objectives.bridges import Bridge
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.positions import real_positions
from limbeck.objectives.ranges import check_choice
from limbeck.objectives.reading import bridge_at, built, read_both, taps_needed
from limbeck.objectives.reduce import full_precision, weighted_mean
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="embedding",
    summary="One minus the cosine of the two embeddings, or their mean squared difference.",
    needs="teacher outputs, or one tapped vector a row on each side (any task); no labels",
    cost="batch x width products; at taps of unlike widths also a linear map",
    memory="batch x width numbers a side; the map, student x teacher widths, dropped afterwards",
    variants="distance: cosine, squared; outputs, or taps",
    helps="retrieval and similarity, where only directions matter (cosine); a head to be put on later (squared)",
    hurts="a student of another width whose own vectors must serve: the bridge learns the match and is then dropped; "
    "squared error on embeddings that are long only by accident",
    paper="Reimers and Gurevych 2020, arXiv 2004.09813, equation 1 (squared); Sanh et al. 2019, DistilBERT, arXiv "
    "1910.01108 (cosine)",
    suggested="distance: cosine where the embeddings are compared by cosine, else squared",
)

FLOOR = 1e-3
"""A shorter vector is divided by this instead of its length, so that gradients stay finite where a head starts at 0."""


def cosine_rows(student: Float[Tensor, "b width"], teacher: Float[Tensor, "b width"]) -> Float[Tensor, " b"]:
    r"""`1 - cos(s, t)` of each row, 0..2.

    Computed as half the squared distance of the two directions, which is the same, exactly 0 where they agree and never
    negative. A vector of zeros has no direction (one below `FLOOR` only part of one): it gives 1/2, and 0 where the
    other is zeros too.

    Args:
        student: one vector a row.
        teacher: one vector a row; no gradient flows into it.

    Example:
        >>> import torch
        >>> one = torch.tensor([[3.0, 4.0]])
        >>> cosine_rows(2 * one, one), cosine_rows(-one, one)
        (tensor([0.]), tensor([2.]))
    """
    directions = [_direction(full_precision(side)) for side in (student, teacher.detach())]
    return (directions[0] - directions[1]).square().sum(dim=1) / 2


def _direction(vectors: Float[Tensor, "b width"]) -> Float[Tensor, "b width"]:
    return vectors / vectors.square().sum(dim=1, keepdim=True).clamp(min=FLOOR**2).sqrt()


def squared_rows(student: Float[Tensor, "b width"], teacher: Float[Tensor, "b width"]) -> Float[Tensor, " b"]:
    """Mean over the width of `(s - t)^2`, of each row; no gradient flows into the teacher.

    Example:
        >>> import torch
        >>> squared_rows(torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]))
        tensor([5.])
    """
    return (full_precision(student) - full_precision(teacher.detach())).square().mean(dim=1)


class Embedding(Objective):
    """Cosine or squared distance of two embeddings, mean over the batch's weight.

    Outputs must have the same width. At taps a bridge leads the student's activation to the teacher's width.

    Args:
        distance: "cosine" or "squared".
        student: tap whose activation is the student's embedding; `None` is the model's output.
        teacher: likewise the teacher's, one vector a row. Name both or neither.

    Raises:
        RecipeError: `distance` is another word, or only one tap is named.

    Example:
        >>> import torch
        >>> Embedding()(torch.tensor([[3.0, 4.0]]), torch.tensor([[4.0, 3.0]]))
        tensor(0.0400)
    """

    def __init__(
        self,
        distance: Literal["cosine", "squared"] = "cosine",
        student: str | None = None,
        teacher: str | None = None,
    ) -> None:
        super().__init__()
        check_choice("distance", distance, ("cosine", "squared"))
        if (student is None) != (teacher is None):
            raise RecipeError("embedding: name the taps of both student and teacher, or neither to compare outputs")
        self.distance: Literal["cosine", "squared"] = distance
        self.student = student
        self.teacher = teacher
        self.bridge: Bridge | None = None

    def needs(self) -> Needs:
        """The teacher's outputs, or both taps."""
        return taps_needed(self.student, self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """A bridge to the teacher's width, learned where the widths differ; without taps, nothing."""
        if self.student is not None and self.teacher is not None:
            self.bridge = bridge_at("embedding", (student, self.student), (teacher, self.teacher))

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"embedding": scalar}`."""
        mine, other = read_both("embedding", (student, self.student), (teacher, self.teacher))
        if self.student is not None:
            mine = built(self.bridge, "embedding")(mine, real_positions(mine, batch.mask, "embedding"))
        return {"embedding": self.on_tensors(mine, other, batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for embeddings of shape `(b, width)`."""
        if student.shape != other.shape or student.ndim != 2:
            raise ModelError(
                f"embedding compares vectors: the student's are {tuple(student.shape)}, the teacher's "
                f"{tuple(other.shape)}, where both must be (rows, width); tap both, so that a "
                "bridge maps the student's, or tap a layer of the teacher's that gives one vector a row"
            )
        rows = cosine_rows(student, other) if self.distance == "cosine" else squared_rows(student, other)
        return weighted_mean(rows, weight)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
