"""Factor transfer (FT): the student's translator matches factors that a paraphraser finds in the teacher."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import RecipeError
from limbeck.objectives.bridges import Bridge
from limbeck.objectives.bridges.grids import as_grid
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.positions import mean
from limbeck.objectives.ranges import check_choice, check_positive
from limbeck.objectives.reading import bridge_at, bridged, built, grid_shape, read_both, taps_needed
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.relations import unit
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="factor-transfer",
    summary="A paraphraser compresses the teacher's map into factors; the student's translator gives the same factors.",
    needs="one tap a side, the teacher's a grid or tokens of a square (no padding); no labels",
    cost="two 3x3 convolutions on the teacher's map and a 1x1 on the student's, at every position",
    memory="paraphraser and translator, dropped afterwards; the teacher's map twice, factors of both sides",
    variants="variant: paper (norm), mean (common code divides by the number of factors); power 1 or 2; none "
    "for the paper's order, the paraphraser first and then frozen: no stage hands its modules on to the next",
    helps="teachers whose maps hold more than the student can copy",
    hurts="small budgets: until the paraphraser has learned, the factors are noise that moves",
    paper="Kim, Park, Kwak 2018, Paraphrasing Complex Network: Network Compression via Factor Transfer, NeurIPS, "
    "arXiv 1802.04977, equations 1 to 3",
    suggested="rate 0.5; weight 16 with variant mean, or per the number of factors",
)


class Paraphraser(nn.Module):
    """A convolutional autoencoder of the teacher's map.

    Args:
        channels: of the teacher.
        factors: channels of the code.
    """

    def __init__(self, channels: int, factors: int) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(channels, factors, 3, padding=1)
        self.decoder = nn.Conv2d(factors, channels, 3, padding=1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Factors, and the map made again from them."""
        factors = F.leaky_relu(self.encoder(features), 0.1)
        return factors, F.leaky_relu(self.decoder(factors), 0.1)


def factor_transfer_rows(
    student: Float[Tensor, "b *shape"], teacher: Float[Tensor, "b *shape"], power: int = 1, variant: str = "paper"
) -> Float[Tensor, " b"]:
    """`|| F_t / ||F_t||_2 - F_s / ||F_s||_2 ||_p` between each row's factors.

    Args:
        student: the translator's factors.
        teacher: the paraphraser's.
        power: p, 1 or 2.
        variant: "paper": the norm; "mean": divided by the number of factors, as common code does for p = 1.

    Example:
        >>> factor_transfer_rows(torch.tensor([[0.0, 2.0]]), torch.tensor([[5.0, 0.0]]))
        tensor([2.])
    """
    apart = unit(student.flatten(1)) - unit(teacher.flatten(1))
    norm: Tensor = torch.linalg.vector_norm(apart, ord=power, dim=1)
    return norm if variant == "paper" else norm / apart.shape[1]


class FactorTransfer(Objective):
    """Factors of both sides agree, mean over the batch's weight; the paraphraser learns beside.

    The paper trains the paraphraser first (three convolutions each way) and freezes it. Here it learns to reconstruct
    the teacher's map while the student follows (what a stage builds is dropped at its end, so `stages` cannot say the
    paper's order): a second term, `factor-transfer-paraphraser`, the mean of squares, that
    moves the paraphraser alone; the student's term moves student and translator alone. So the factors move while they
    are learned; the translator is 1x1.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.
        rate: factors as a share of the teacher's channels, above 0.
        power: p of the norm, 1 or 2.
        variant: "paper" or "mean"; see `factor_transfer_rows`.

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> FactorTransfer("layer4", "layer4", rate=0.75)
        FactorTransfer(student='layer4', teacher='layer4', rate=0.75)
    """

    def __init__(
        self, student: str, teacher: str, rate: float = 0.5, power: int = 1, variant: Literal["paper", "mean"] = "paper"
    ) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        if power not in (1, 2):
            raise RecipeError(f"power: {power} is neither 1 nor 2")
        check_positive("rate", rate)
        self.rate, self.power = rate, power
        check_choice("variant", variant, ("paper", "mean"))
        self.variant = variant
        self.bridge: Bridge | None = None
        self.paraphraser: Paraphraser | None = None

    def needs(self) -> Needs:
        """One tap a side."""
        return taps_needed(self.student, self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes paraphraser and translator."""
        channels, rows, columns = grid_shape(teacher, self.teacher, "teacher", CARD.name)
        factors = max(1, round(self.rate * channels))
        self.paraphraser = Paraphraser(channels, factors)
        self.bridge = bridge_at(
            CARD.name, (student, self.student), (teacher, self.teacher), learned=True, wanted=(factors, rows, columns)
        )

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"factor-transfer": scalar}`."""
        mine, other = read_both(CARD.name, (student, self.student), (teacher, self.teacher))
        grid = as_grid(other, f"{CARD.name}: the teacher's activation", batch.mask).detach()
        factors, again = built(self.paraphraser, CARD.name)(grid)
        mine, factors_of, _ = bridged(CARD.name, self.bridge, mine, factors, batch)
        follows = factor_transfer_rows(mine, factors_of, self.power, self.variant)
        return {
            CARD.name: weighted_mean(follows, batch.weight),
            f"{CARD.name}-paraphraser": weighted_mean(mean((again - grid) ** 2), batch.weight),
        }

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
