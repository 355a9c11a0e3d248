"""Variational information distillation (VID): the student's layer predicts the teacher's, with a variance a channel."""

from collections.abc import Mapping
from math import expm1, log
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.bridges import Bridge
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.positions import real_only
from limbeck.objectives.ranges import check_at_least, check_choice
from limbeck.objectives.reading import bridge_at, bridged, built, read_both, shape_at, taps_needed
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="vid",
    summary="A bound on mutual information: the teacher's layer under a Gaussian that the student's layer predicts.",
    needs="one tap a side; no labels",
    cost="a 1x1 convolution (student x teacher channels) at every position",
    memory="the convolution and a variance a channel, dropped afterwards; both taps' activations, twice",
    variants="variant: paper (sum over elements), mean (common code)",
    helps="layers with channels of unlike scale: those that cannot be predicted get a large variance and weigh less",
    hurts="as with hints, late layers bind a small student; the value may be negative, so shares of the loss mislead",
    paper="Ahn, Hu, Damianou, Lawrence, Dai 2019, Variational Information Distillation, CVPR, arXiv 1904.05835, eq. 5",
    suggested="variant mean with weight 1; several layers",
)

_LEAST = 1e-5
"""Least variance, so that a channel that is predicted exactly does not run away."""


def vid_rows(
    mean_of: Float[Tensor, "b *shape"],
    teacher: Float[Tensor, "b *shape"],
    variance: Float[Tensor, " channels"],
    variant: str = "paper",
    real: Tensor | None = None,
) -> Float[Tensor, " b"]:
    """`sum log(sigma_c) + (t - mu)^2 / (2 sigma_c^2)`: minus the log-likelihood, without `log(2 pi) / 2` an element.

    Squares are added up over positions before a variance divides them, so that no other map is made.

    Args:
        mean_of: mu, what the student predicts.
        teacher: t, of the same shape: `(b, channels)`, `(b, tokens, channels)` or `(b, channels, rows, columns)`.
        variance: sigma^2, one a channel.
        variant: "paper": the sum over all elements; "mean": their mean, as in common code.
        real: true where a token is real.

    Example:
        >>> vid_rows(torch.ones(1, 4), torch.zeros(1, 4), torch.ones(4))
        tensor([2.])
    """
    squares = real_only(F.mse_loss(mean_of, teacher, reduction="none"), real)
    positions: Tensor | int = 1
    if squares.ndim == 4:
        squares, positions = squares.flatten(2).sum(dim=2), squares.shape[2:].numel()
    elif squares.ndim == 3:
        squares, positions = squares.sum(dim=1), squares.shape[1] if real is None else real.sum(dim=1)
    rows = (squares @ variance.reciprocal() + positions * variance.log().sum()) / 2
    if variant == "paper":
        return rows
    return rows / len(variance) / (positions.clamp_min(1) if isinstance(positions, Tensor) else positions)


class VID(Objective):
    """Minus the variational bound on the information between two layers, mean over the batch's weight.

    The paper predicts the mean with several convolutions; here it is one, 1x1, behind what matches the shapes.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.
        variant: "paper" (sum over elements) or "mean".
        variance: what every channel's variance starts at, at least 1e-4.

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> VID("layer3", "layer3", variant="mean")
        VID(student='layer3', teacher='layer3', variant='mean')
    """

    def __init__(
        self, student: str, teacher: str, variant: Literal["paper", "mean"] = "paper", variance: float = 5.0
    ) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        check_choice("variant", variant, ("paper", "mean"))
        self.variant = variant
        check_at_least("variance", variance, 1e-4)
        self.variance = variance
        self.bridge: Bridge | None = None
        self.alpha: nn.Parameter | None = None

    def needs(self) -> Needs:
        """One tap a side."""
        return taps_needed(self.student, self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes the predictor of means, and one variance a channel of the teacher."""
        self.bridge = bridge_at(CARD.name, (student, self.student), (teacher, self.teacher), learned=True)
        there = shape_at(teacher, self.teacher, "teacher", CARD.name)
        channels = there[1] if len(there) == 2 else there[0]
        start = self.variance - _LEAST
        inverse = start if start > 30 else log(expm1(start))  # of the softplus
        self.alpha = nn.Parameter(torch.full((channels,), inverse))

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"vid": scalar}`."""
        mine, other = read_both(CARD.name, (student, self.student), (teacher, self.teacher))
        mine, other, real = bridged(CARD.name, self.bridge, mine, other, batch)
        variance = F.softplus(built(self.alpha, CARD.name)) + _LEAST
        rows = vid_rows(mine, other, variance, self.variant, real)
        return {CARD.name: weighted_mean(rows, batch.weight)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
