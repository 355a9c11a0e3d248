"""Attention transfer (AT): where a layer is active, summed over channels, is where the teacher's is."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.bridges.grids import as_grid, common_grid
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.positions import real_only, real_positions
from limbeck.objectives.ranges import check_at_least, check_choice
from limbeck.objectives.reading import read_both, taps_needed
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.relations import unit
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="attention-transfer",
    summary="The student's map of activity over positions follows the teacher's; channels may differ.",
    needs="one tap a side, grids or tokens; padded tokens are left out, of equally many on both sides; no labels",
    cost="two sums over channels at every position; nothing is learned",
    memory="both taps' activations",
    variants="variant: paper (norm), mean-square (common code); power",
    helps="convolutional nets of one family; every block's end, all of them at once",
    hurts="layers whose activity is even or dead; variant mean-square makes the weight depend on the map's size",
    paper="Zagoruyko, Komodakis 2017, Paying More Attention to Attention, arXiv 1612.03928, equation 2",
    suggested="weight 500 to 1000 a tap with variant mean-square (the authors' code: beta / 2 with beta 1e3); about "
    "0.1 to 1 with variant paper; power 2",
)


def attention_map(features: Tensor, power: float = 2.0) -> Tensor:
    """`sum_c |A_c|^p` at each position: `(b, 1, rows, columns)` of a grid, `(b, tokens, 1)` of tokens."""
    raised = features**2 if power == 2 else features.abs() ** power  # the usual one takes no detour
    return raised.sum(dim=1 if features.ndim == 4 else 2, keepdim=True)


def attention_transfer_rows(
    student: Float[Tensor, "b *positions"],
    teacher: Float[Tensor, "b *positions"],
    variant: str = "paper",
    eps: float = 1e-12,
    real: Tensor | None = None,
) -> Float[Tensor, " b"]:
    """`|| Q_s / ||Q_s|| - Q_t / ||Q_t|| ||_2` of each row's maps (p = 2), 0..sqrt(2).

    The paper multiplies by beta / 2; that is the weight's business. A map shorter than `eps` counts as 0 everywhere,
    with zero gradient.

    Args:
        student: `attention_map` of the student, at least 0.
        teacher: likewise, of the same shape.
        variant: "paper", or "mean-square" as in common code: the mean of the squared differences, so that the value
            falls with the number of positions.
        eps: norm below which a map is dead, at least 0.
        real: true where a token is real.

    Example:
        >>> a, b = torch.tensor([[4.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        >>> attention_transfer_rows(a, b), attention_transfer_rows(a, b, "mean-square")
        (tensor([1.4142]), tensor([1.]))
    """
    maps = (unit(real_only(side, real).flatten(1), eps=eps) for side in (student, teacher))
    apart = next(maps) - next(maps)
    if variant == "paper":
        norm: Tensor = torch.linalg.vector_norm(apart, dim=1)
        return norm
    positions = apart.shape[1] if real is None else real.sum(dim=1).clamp_min(1)
    return (apart**2).sum(dim=1) / positions


class AttentionTransfer(Objective):
    """Attention maps agree, mean over the batch's weight. Maps of unlike size are averaged to the smaller.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.
        variant: "paper" (norm) or "mean-square"; see `attention_transfer_rows`.
        power: p in `|A|^p`, at least 1; larger looks at peaks only.
        eps: norm below which a map counts as dead, at least 0.

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> 500 * AttentionTransfer("layer2", "layer2", variant="mean-square")
        WeightedSum(
          (parts): ModuleList(
            (0): AttentionTransfer(student='layer2', teacher='layer2', variant='mean-square')
          )
        )
    """

    def __init__(
        self,
        student: str,
        teacher: str,
        variant: Literal["paper", "mean-square"] = "paper",
        power: float = 2.0,
        eps: float = 1e-12,
    ) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        check_choice("variant", variant, ("paper", "mean-square"))
        self.variant = variant
        check_at_least("power", power, 1)
        check_at_least("eps", eps, 0)
        self.power, self.eps = power, eps

    def needs(self) -> Needs:
        """One tap a side."""
        return taps_needed(self.student, self.teacher)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"attention-transfer": scalar}`."""
        mine, other = read_both(CARD.name, (student, self.student), (teacher, self.teacher))
        real = None
        if mine.ndim == other.ndim == 3 and mine.shape[1] == other.shape[1]:
            real = real_positions(mine, batch.mask, CARD.name)
            maps = attention_map(mine, self.power), attention_map(other.detach(), self.power)
        else:
            maps = self._on_one_grid(mine, other.detach(), batch.mask)
        rows = attention_transfer_rows(*maps, self.variant, self.eps, real)
        return {CARD.name: weighted_mean(rows, batch.weight)}

    def _on_one_grid(self, student: Tensor, teacher: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        grids = (
            as_grid(side, f"{CARD.name}: the {who}'s activation", mask)
            for who, side in (("student", student), ("teacher", teacher))
        )
        mine, other = (attention_map(grid, self.power) for grid in grids)
        return common_grid(mine, other, CARD.name)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
