"""Hints (FitNets): the student's layer, through a regressor, predicts the teacher's."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.bridges import Bridge
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.positions import mean, total
from limbeck.objectives.ranges import check_choice
from limbeck.objectives.reading import bridge_at, bridged, read_both, taps_needed
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="hint",
    summary="A regressor on a student's layer predicts a teacher's layer, element by element.",
    needs="one tap a side; no labels",
    cost="a 1x1 convolution (student x teacher channels) at every position",
    memory="the regressor, dropped afterwards; both taps' activations",
    variants="variant: paper (half the sum of squares), mean-square (common code); in two stages with preset: fitnets,"
    " or beside other terms in one",
    helps="deep thin students that are hard to train from the start; the middle of the network, early in training",
    hurts="late hints over-constrain a small student; the sum over a large map dwarfs every other term unless weighted",
    paper="Romero et al. 2015, FitNets: Hints for Thin Deep Nets, arXiv 1412.6550, equation 3",
    suggested="a layer in the middle; the paper's two stages: preset: {name: fitnets, student: ..., teacher: ...}; or "
    "in one stage beside hard-labels: variant mean-square, weight 1 to 100",
)


def hint_rows(
    student: Float[Tensor, "b *shape"],
    teacher: Float[Tensor, "b *shape"],
    variant: str = "paper",
    real: Tensor | None = None,
) -> Float[Tensor, " b"]:
    """Half the squared distance of each row, `1/2 ||u - r||^2`, summed over all its elements.

    The sum grows with the map: at 64 channels of 8 by 8 it is 2048 times the "mean-square" of common code, which has
    no half either and divides by the number of elements.

    Args:
        student: behind the regressor.
        teacher: the hint, of the same shape.
        variant: "paper" or "mean-square".
        real: true where a token is real.

    Example:
        >>> import torch
        >>> ones, zeros = torch.ones(1, 4), torch.zeros(1, 4)
        >>> hint_rows(ones, zeros), hint_rows(ones, zeros, "mean-square")
        (tensor([2.]), tensor([1.]))
    """
    squares = F.mse_loss(student, teacher, reduction="none")
    return total(squares, real) / 2 if variant == "paper" else mean(squares, real)


class Hint(Objective):
    """The hint term of FitNets, mean over the batch's weight.

    The paper's regressor is a convolution without padding whose kernel makes up for a larger student map; here grids
    are resized and channels mapped 1x1, which is the same where both maps are of one size.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.
        variant: "paper" (half the sum) or "mean-square"; see `hint_rows`.

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> str(0.5 * Hint("layer2", "blocks.3"))
        "0.5 * Hint(student='layer2', teacher='blocks.3')"
    """

    def __init__(self, student: str, teacher: str, variant: Literal["paper", "mean-square"] = "paper") -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        check_choice("variant", variant, ("paper", "mean-square"))
        self.variant = variant
        self.bridge: Bridge | None = None

    def needs(self) -> Needs:
        """One tap a side."""
        return taps_needed(self.student, self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes the regressor."""
        self.bridge = bridge_at(CARD.name, (student, self.student), (teacher, self.teacher))

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"hint": scalar}`."""
        mine, other = read_both(CARD.name, (student, self.student), (teacher, self.teacher))
        mine, other, real = bridged(CARD.name, self.bridge, mine, other, batch)
        if batch.weight is None and real is None:  # nothing is left out: one pass over the map each way
            value = F.mse_loss(mine, other)
            return {CARD.name: value if self.variant == "mean-square" else value * (mine.shape[1:].numel() / 2)}
        return {CARD.name: weighted_mean(hint_rows(mine, other, self.variant, real), batch.weight)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
