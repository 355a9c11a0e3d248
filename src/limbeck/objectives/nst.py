"""Neuron selectivity transfer (NST): the channels' patterns over positions have the teacher's distribution (MMD)."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.bridges.grids import common_grid
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.positions import real_only, real_positions
from limbeck.objectives.ranges import check_choice
from limbeck.objectives.reading import read_both, taps_needed
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.relations import unit
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="nst",
    summary="Taken as samples, the channels' activation patterns have the teacher's distribution, by squared MMD.",
    needs="one tap a side with positions (of tokens with padding equally many on both sides), any channels; no labels",
    cost="three channel x channel matrices an example, channels^2 x positions; nothing is learned",
    memory="both taps' activations; three times channels^2 numbers an example",
    variants="kernel: poly (the paper's degree 2), linear",
    helps="unlike numbers of channels; late convolutional layers",
    hurts="maps of a few pixels; many channels, whose matrices are large",
    paper="Huang, Wang 2017, Like What You Like: Neuron Selectivity Transfer, arXiv 1707.01219, equations 3 and 5",
    suggested="kernel poly; weight 25 (the paper: lambda / 2 with lambda 50); the last convolutional block",
)


def nst_rows(
    student: Float[Tensor, "b s positions"], teacher: Float[Tensor, "b t positions"], kernel: str = "poly"
) -> Float[Tensor, " b"]:
    """`mean k(t, t) + mean k(s, s) - 2 mean k(t, s)` over the channels of each row, each scaled to length 1; 0..4.

    Args:
        student: one pattern a channel.
        teacher: likewise; as many positions, any number of channels.
        kernel: "linear" `x . y`, or "poly" `(x . y)^2` (the paper's d = 2, c = 0).

    Example:
        >>> import torch
        >>> patterns = torch.tensor([[[1.0, 2.0], [3.0, 0.0]]])
        >>> nst_rows(5 * patterns.flip(1), patterns).item() < 1e-6
        True
    """
    mine, other = unit(student), unit(teacher)
    power = 1 if kernel == "linear" else 2

    def similarity(x: Tensor, y: Tensor) -> Tensor:
        return ((x @ y.transpose(1, 2)) ** power).mean(dim=(1, 2))

    return similarity(other, other) + similarity(mine, mine) - 2 * similarity(other, mine)


class NST(Objective):
    """Squared MMD between channels' patterns, mean over the batch's weight. Unlike grids are averaged to the smaller.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.
        kernel: "poly" or "linear"; see `nst_rows`.

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> NST("layer4", "layer4", kernel="linear")
        NST(student='layer4', teacher='layer4', kernel='linear')
    """

    def __init__(self, student: str, teacher: str, kernel: Literal["poly", "linear"] = "poly") -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        check_choice("kernel", kernel, ("poly", "linear"))
        self.kernel = kernel

    def needs(self) -> Needs:
        """One tap a side."""
        return taps_needed(self.student, self.teacher)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"nst": scalar}`."""
        mine, other = read_both(CARD.name, (student, self.student), (teacher, self.teacher))
        if mine.ndim == other.ndim == 3 and mine.shape[1] == other.shape[1]:
            real = real_positions(mine, batch.mask, CARD.name)
            mine, other = (real_only(side, real).transpose(1, 2) for side in (mine, other.detach()))
        else:
            mine, other = (side.flatten(2) for side in common_grid(mine, other.detach(), CARD.name, batch.mask))
        return {CARD.name: weighted_mean(nst_rows(mine, other, self.kernel), batch.weight)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
