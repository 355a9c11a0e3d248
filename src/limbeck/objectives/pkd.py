"""Patient knowledge distillation (PKD): directions of hidden states agree, at the class token."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.bridges import Bridge
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.positions import first_real, mean
from limbeck.objectives.ranges import check_choice
from limbeck.objectives.reading import bridge_at, bridged, built, read_both, taps_needed
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.relations import unit
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="pkd",
    summary="A student's hidden state points where the teacher's does: squared distance of vectors of length 1.",
    needs="one tap a side, tokens or vectors; no labels",
    cost="tokens x width products; a linear map where widths differ",
    memory="both taps' tokens; the map, student x teacher widths, dropped afterwards",
    variants="tokens: class (the first alone), all; variant: paper (sum of squares), mean-square",
    helps="transformers with a class token, every second or third layer of the teacher (the paper's skip)",
    hurts="tokens all: many easy tokens outvote the few that matter",
    paper="Sun, Cheng, Gan, Liu 2019, Patient Knowledge Distillation for BERT Model Compression, EMNLP, "
    "arXiv 1908.09355, equation 7",
    suggested="tokens class; weight 10 to 1000; several layers",
)


def pkd_rows(
    student: Float[Tensor, "b *tokens width"],
    teacher: Float[Tensor, "b *tokens width"],
    variant: str = "paper",
    real: Tensor | None = None,
) -> Float[Tensor, " b"]:
    """`|| s / ||s|| - t / ||t|| ||^2` of each row's hidden state, the mean over its real tokens where it has several.

    Args:
        student: hidden states.
        teacher: likewise.
        variant: "paper": 0..4; "mean-square": divided by the width, as the authors' code does.
        real: true where a token is real.

    Example:
        >>> import torch
        >>> pkd_rows(torch.tensor([[0.0, 2.0]]), torch.tensor([[5.0, 0.0]]))
        tensor([2.])
    """
    squares = (unit(student) - unit(teacher)) ** 2
    if variant == "paper":
        squares = squares.sum(dim=-1, keepdim=True)
    return mean(squares, real)


class PKD(Objective):
    """Directions of hidden states, mean over the batch's weight.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.
        tokens: "class", the first real token of each row, or "all" that are real; vectors are one token.
        variant: "paper" or "mean-square"; see `pkd_rows`.

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> PKD("encoder.layer.1", "encoder.layer.3", tokens="all")
        PKD(student='encoder.layer.1', teacher='encoder.layer.3', tokens='all')
    """

    def __init__(
        self,
        student: str,
        teacher: str,
        tokens: Literal["class", "all"] = "class",
        variant: Literal["paper", "mean-square"] = "paper",
    ) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        check_choice("tokens", tokens, ("class", "all"))
        self.tokens = tokens
        check_choice("variant", variant, ("paper", "mean-square"))
        self.variant = variant
        self.bridge: Bridge | None = None

    def needs(self) -> Needs:
        """One tap a side."""
        return taps_needed(self.student, self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes the bridge."""
        self.bridge = bridge_at(CARD.name, (student, self.student), (teacher, self.teacher), sequence=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"pkd": scalar}`."""
        mine, other = read_both(CARD.name, (student, self.student), (teacher, self.teacher))
        if self.tokens == "class" and mine.ndim == other.ndim == 3:
            crossing = built(self.bridge, CARD.name)
            mine, other = (first_real(side, batch.mask) for side in (mine, other.detach()))
            mine, real = crossing.across_channels(mine), None
        else:
            mine, other, real = bridged(CARD.name, self.bridge, mine, other, batch)
        return {CARD.name: weighted_mean(pkd_rows(mine, other, self.variant, real), batch.weight)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
