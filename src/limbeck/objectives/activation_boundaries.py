"""Activation boundaries (AB): which neurons are on, with a margin; not how far."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.bridges import Bridge
from limbeck.objectives.by_hand import with_gradient
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.positions import real_only, size, total
from limbeck.objectives.ranges import check_choice, check_positive
from limbeck.objectives.reading import bridge_at, bridged, read_both, taps_needed
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="activation-boundaries",
    summary="The student's neurons, through a map, are on where the teacher's are, by a margin.",
    needs="one tap a side *before* the ReLU; no labels",
    cost="a 1x1 convolution (student x teacher channels) at every position",
    memory="the convolution, dropped afterwards; both taps' activations",
    variants="variant: paper (sum over neurons), mean",
    helps="as a stage before training on labels; small transfer sets",
    hurts="taps behind a ReLU, where the teacher is never off by a margin; beside a classifier's loss in one stage",
    paper="Heo, Lee, Yun, Choi 2019, Knowledge Transfer via Distillation of Activation Boundaries, AAAI, "
    "arXiv 1811.03233, equation 3",
    suggested="margin 1; alone in a first stage; the authors' code divides the sum by 1000 and more",
)


def activation_boundaries_rows(
    student: Float[Tensor, "b *shape"],
    teacher: Float[Tensor, "b *shape"],
    margin: float = 1.0,
    variant: str = "paper",
    real: Tensor | None = None,
) -> Float[Tensor, " b"]:
    """`|| on_t * relu(m - s) + off_t * relu(m + s) ||^2`: squares of what lacks to the margin, summed over neurons.

    Args:
        student: before the ReLU, in the teacher's shape.
        teacher: before the ReLU; on where above 0.
        margin: m > 0.
        variant: "paper": the sum over neurons; "mean": their mean.
        real: true where a token is real.

    Example:
        >>> activation_boundaries_rows(torch.tensor([[0.5, 0.5, 3.0]]), torch.tensor([[2.0, -2.0, 0.1]]))
        tensor([2.5000])
    """
    rows = with_gradient(_squares, _squares_by_hand, student, teacher.detach(), margin, real)
    return rows if variant == "paper" else rows / size(student, real)


def _squares(student: Tensor, teacher: Tensor, margin: float, real: Tensor | None) -> Float[Tensor, " b"]:
    return total(F.relu(margin + _towards(student, teacher) * student) ** 2, real)


def _squares_by_hand(student: Tensor, teacher: Tensor, margin: float, real: Tensor | None) -> tuple[Tensor, Tensor]:
    towards = _towards(student, teacher)
    lacking = real_only((towards * student).add_(margin).relu_(), real)
    rows: Tensor = torch.linalg.vector_norm(lacking.flatten(1), dim=1).square()
    return rows, towards.mul_(2).mul_(lacking)


def _towards(student: Tensor, teacher: Tensor) -> Tensor:
    """-1 where the student should rise above the margin, 1 where it should fall below minus the margin."""
    return torch.where(teacher > 0, -1, 1).to(student.dtype)


class ActivationBoundaries(Objective):
    """Hinge on the signs of the teacher's neurons, mean over the batch's weight.

    The paper's connector adds batch normalisation to the 1x1 convolution; here it is left out, so that a row's value is
    its own.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.
        margin: m > 0.
        variant: "paper" (sum over neurons) or "mean".

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> ActivationBoundaries("layer2.bn", "layer2.bn")
        ActivationBoundaries(student='layer2.bn', teacher='layer2.bn')
    """

    def __init__(
        self, student: str, teacher: str, margin: float = 1.0, variant: Literal["paper", "mean"] = "paper"
    ) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        check_positive("margin", margin)
        self.margin = margin
        check_choice("variant", variant, ("paper", "mean"))
        self.variant = variant
        self.bridge: Bridge | None = None

    def needs(self) -> Needs:
        """One tap a side."""
        return taps_needed(self.student, self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes the connector."""
        self.bridge = bridge_at(CARD.name, (student, self.student), (teacher, self.teacher), learned=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"activation-boundaries": scalar}`."""
        mine, other = read_both(CARD.name, (student, self.student), (teacher, self.teacher))
        mine, other, real = bridged(CARD.name, self.bridge, mine, other, batch)
        rows = activation_boundaries_rows(mine, other, self.margin, self.variant, real)
        return {CARD.name: weighted_mean(rows, batch.weight)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
