"""RKD, angles: the student keeps the angle that any three examples make."""

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
from limbeck.objectives.pieces import summed
from limbeck.objectives.ranges import check_choice
from limbeck.objectives.reading import read_vectors, taps_needed
from limbeck.objectives.relations import differences, inverse_root, relatives
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="rkd-angle",
    summary="The student keeps the angles between triplets of examples.",
    needs="logits or one tap a side, of any widths; padded tokens are left out; no labels",
    cost="batch^3 cosines a side, batch^3 x width products",
    memory="batch^2 numbers a side, and a stretch of the batch^3 cosines at a time, which is made again for "
    "the gradient",
    variants="variant: paper (triplets of different rows), code (the authors' mean also counts triplets that name a "
    "row twice)",
    helps="embeddings and retrieval, beside rkd-distance; it fixes shape where distances fix size",
    hurts="time at large batches, which grows with their cube; nearly equal rows, whose directions are noise",
    paper="Park, Kim, Lu, Cho 2019, Relational Knowledge Distillation, arXiv 1904.05068, equations 9 and 10",
    suggested="weight 50 beside hard labels, as in the paper (twice that of rkd-distance); batches of 64 to 128",
)


_NARROW = 64
"""Up to this width directions are made and multiplied; beyond it their products come cheaper from those of rows."""
_AT_ONCE = 2**18
"""Cosines held at once on a processor: what its cache holds."""
_AT_ONCE_ON_GPU = 2**26


def angles(
    rows: Float[Tensor, "b d"], gram: Float[Tensor, "b b"], scale: Float[Tensor, "b b"], vertices: slice
) -> Float[Tensor, "vertices b b"]:
    """`[j, i, k]`: the cosine of the angle at row j between rows i and k; 0 where two of them are the same point.

    Args:
        rows: one vector each.
        gram: their products, about any point.
        scale: one over the distances between rows, 0 where they are the same.
        vertices: which j.
    """
    near = scale[vertices]
    if rows.shape[1] <= _NARROW:
        directions = (rows - rows[vertices, None]) * near[:, :, None]  # [j, i]: from row j to row i
        return directions @ directions.transpose(1, 2)
    at = gram[vertices]
    lengths = gram.diagonal()[vertices]
    products = gram - at[:, :, None] - at[:, None, :] + lengths[:, None, None]  # (i - j) (k - j)
    return products * near[:, :, None] * near[:, None, :]


def rkd_angle(
    student: Float[Tensor, "b s"],
    teacher: Float[Tensor, "b t"],
    weight: Float[Tensor, " b"] | None = None,
    variant: str = "paper",
) -> Float[Tensor, ""]:
    """Huber loss (delta 1) between cosines, the mean over ordered triplets of different rows, 0..1.5.

    The paper prints a sum over triplets; its weights (50) go with the mean of the authors' code.

    Args:
        student: one vector a row.
        teacher: likewise, of any width; no gradient flows into it.
        weight: one number a row; a triplet counts with the product of its rows'.
        variant: "paper", or "code": the authors' mean also counts triplets that name a row twice, which give 0.

    Example:
        >>> import torch
        >>> triangle = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> rkd_angle(7 * triangle + 3, triangle).item() < 1e-6
        True
    """
    mine, other, weights, _ = relatives(student, teacher, weight, CARD.name)
    (gram, squared), (other_gram, other_squared) = differences(mine), differences(other)
    scale, other_scale = inverse_root(squared), inverse_root(other_squared)

    def apart(vertices: slice, mine: Tensor, gram: Tensor, scale: Tensor) -> Tensor:
        here, there = angles(mine, gram, scale, vertices), angles(other, other_gram, other_scale, vertices)
        loss = F.smooth_l1_loss(here, there, reduction="none")
        return ((loss @ weights) @ weights) @ weights[vertices]  # a triplet's weight is a product, never made

    rows, most = len(mine), _AT_ONCE if mine.device.type == "cpu" else _AT_ONCE_ON_GPU
    value = summed(apart, rows, max(1, most // rows**2), mine, gram, scale)
    one, two, three = ((weights.double() ** power).sum() for power in (1, 2, 3))
    total = one**3
    if variant == "paper":  # angles at a row itself are 0 on both sides; those of a row with itself are taken out
        value = value - 0.5 * (((scale > 0) != (other_scale > 0)).to(weights.dtype) @ weights**2) @ weights
        total = total + 2 * three - 3 * one * two
    there = total > 1e-9 * one**3  # rounding apart
    return torch.where(there, value / torch.where(there, total, 1), 0).to(value.dtype)


class RKDAngle(Objective):
    """Angles between examples; the value couples a batch, which processes gather.

    Args:
        student: path of the student's tap; `None` reads logits.
        teacher: path of the teacher's tap; `None` reads logits.
        variant: "paper" or "code"; see `rkd_angle`.

    Raises:
        RecipeError: there is no such variant.

    Example:
        >>> import torch
        >>> objective = RKDAngle()
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
        """`{"rkd-angle": scalar}`."""
        both = read_vectors(CARD.name, (student, self.student), (teacher, self.teacher), batch)
        return {CARD.name: self.on_tensors(*both, batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for two representations of the same rows."""
        return rkd_angle(student.flatten(1), other.flatten(1), weight, self.variant)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
