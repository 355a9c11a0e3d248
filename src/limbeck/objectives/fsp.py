"""FSP: how features flow from one layer to a later one, as a matrix of channel products, is the teacher's."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.bridges import bridge
from limbeck.objectives.bridges.grids import as_grid
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.reading import as_many, built, grid_shape, read
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="fsp",
    summary="The products between channels of two layers, summed over positions, are the teacher's.",
    needs="two taps a side, grids or tokens of a square (no padding); no labels",
    cost="a channels x channels matrix an example, channels^2 x positions; 1x1 convolutions where channels differ",
    memory="both taps' activations of both layers; channels^2 numbers an example; the convolutions, dropped afterwards",
    variants="none",
    helps="residual nets of one family, before and after a stage; as a first stage of training",
    hurts="unlike architectures; the value grows with the fourth power of the activations",
    paper="Yim, Joo, Bae, Kim 2017, A Gift from Knowledge Distillation, CVPR, equations 1 and 2",
    suggested="first and last layer of each stage; alone in a first stage, then labels",
)


def flow(first: Float[Tensor, "b m _ _"], second: Float[Tensor, "b n _ _"]) -> Float[Tensor, "b m n"]:
    """`G_ij = sum_hw F1_i F2_j / (h w)`; the larger grid is max-pooled to the smaller, in each axis.

    Example:
        >>> import torch
        >>> flow(torch.ones(1, 2, 4, 4), 3 * torch.ones(1, 1, 2, 2))
        tensor([[[3.],
                 [3.]]])
    """
    size = (min(first.shape[2], second.shape[2]), min(first.shape[3], second.shape[3]))
    one, two = (_pooled(grid, size).flatten(2) for grid in (first, second))
    return one @ two.transpose(1, 2) / one.shape[2]


def fsp_rows(student: Float[Tensor, "b m n"], teacher: Float[Tensor, "b m n"]) -> Float[Tensor, " b"]:
    """`||G_t - G_s||_F^2` of each row's flows."""
    return F.mse_loss(student, teacher, reduction="none").flatten(1).sum(dim=1)


class FSP(Objective):
    """Flows between two layers agree, mean over the batch's weight.

    The paper asks for equally many channels; where they differ, a 1x1 convolution maps the student's to the teacher's.

    Args:
        student: paths of the student's earlier and later tap.
        teacher: paths of the teacher's.

    Raises:
        RecipeError: there are not two paths a side.

    Example:
        >>> FSP(("conv1", "layer1"), ("conv1", "layer1"))
        FSP(student=['conv1', 'layer1'], teacher=['conv1', 'layer1'])
    """

    def __init__(self, student: tuple[str, str], teacher: tuple[str, str]) -> None:
        super().__init__()
        self.student, self.teacher = as_many("student", student, (2,)), as_many("teacher", teacher, (2,))
        self.bridges: nn.ModuleList | None = None

    def needs(self) -> Needs:
        """Two taps a side."""
        return Needs(student_taps=self.student, teacher_taps=self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes the maps of channels."""
        made = []
        for mine, other in zip(self.student, self.teacher, strict=True):
            here = grid_shape(student, mine, "student", CARD.name)
            there = grid_shape(teacher, other, "teacher", CARD.name)
            made.append(bridge(here, (there[0], *here[1:])))
        self.bridges = nn.ModuleList(made)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"fsp": scalar}`."""
        sides = []
        for signals, taps, who in ((student, self.student, "student"), (teacher, self.teacher, "teacher")):
            found = [read(signals, tap, who, CARD.name) for tap in taps]
            sides.append([as_grid(features, f"{CARD.name}: the {who}'s activation", batch.mask) for features in found])
        mine = [crossing(grid) for crossing, grid in zip(built(self.bridges, CARD.name), sides[0], strict=True)]
        rows = fsp_rows(flow(mine[0], mine[1]), flow(sides[1][0].detach(), sides[1][1].detach()))
        return {CARD.name: weighted_mean(rows, batch.weight)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)


def _pooled(grid: Tensor, size: tuple[int, int]) -> Tensor:
    rows, columns = grid.shape[2:]
    if (rows, columns) == size:
        return grid
    if rows % size[0] == 0 and columns % size[1] == 0:  # the same, and deterministic on GPUs
        return F.max_pool2d(grid, (rows // size[0], columns // size[1]))
    return F.adaptive_max_pool2d(grid, size)
