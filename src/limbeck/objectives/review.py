"""ReviewKD: each teacher stage is learned from the student's stage and all deeper ones, at several coarsenesses."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import RecipeError
from limbeck.objectives.bridges.grids import as_grid
from limbeck.objectives.bridges.modules import resize
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.positions import mean
from limbeck.objectives.ranges import check_at_least
from limbeck.objectives.reading import as_many, built, grid_shape, read
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="review",
    summary="The student's stages, fused from the deepest up, predict the teacher's stages at several coarsenesses.",
    needs="two taps or more a side, from shallow to deep, grids or tokens of a square (no padding); no labels",
    cost="a 1x1 convolution, a 3x3 convolution and a gate a stage, 9 x width x channels products a position; "
    "often more than a small student",
    memory="the convolutions, dropped afterwards; maps of `width` channels at every stage's size",
    variants="none; the authors' batch normalisation is left out",
    helps="convolutional nets with stages; detection and segmentation too",
    hurts="small budgets; students far narrower than `width`",
    paper="Chen, Liu, Zhao, Jia 2021, Distilling Knowledge via Knowledge Review, CVPR, arXiv 2104.09044, eqs. 6 to 8",
    suggested="the end of each stage; weight 0.5 to 8, warmed up ({kind: rise, value: 1, share: 0.08} is 20 of 240 "
    "epochs); width of the teacher's last stage",
)


def hierarchical_rows(student: Float[Tensor, "b *grid"], teacher: Float[Tensor, "b *grid"]) -> Float[Tensor, " b"]:
    """Mean squares at full size, and averaged to 4x4, 2x2 and 1x1 pixels: each half as heavy, over all weights.

    Sizes that are not below the map's height are left out, as in the authors' code. Means are those of the difference,
    and one product makes all of them: pooling both sides for each size takes four times as long.

    Example:
        >>> hierarchical_rows(torch.ones(1, 2, 3, 3), torch.zeros(1, 2, 3, 3))
        tensor([1.])
    """
    rows = mean(F.mse_loss(student, teacher, reduction="none"))
    sizes = [size for size in (4, 2, 1) if size < student.shape[2]]
    if not sizes:
        return rows
    coarse = (student - teacher).flatten(2) @ _windows(student, sizes)
    weight = [0.5**number for number in range(1, len(sizes) + 1)]
    for each, part in zip(weight, coarse.split_with_sizes([size**2 for size in sizes], dim=2), strict=True):
        rows = rows + each * mean(part**2)
    return rows / (1 + sum(weight))


def _windows(grid: Float[Tensor, "b c h w"], sizes: Sequence[int]) -> Float[Tensor, "hw cells"]:
    """Each column holds the shares of all pixels in one cell of an adaptive average, for every size in turn."""
    pixels = (torch.eye(side, dtype=grid.dtype, device=grid.device) for side in grid.shape[2:])
    down, across = ([F.adaptive_avg_pool1d(side, size) for size in sizes] for side in pixels)
    return torch.cat([torch.kron(one, two) for one, two in zip(down, across, strict=True)], dim=1)


class Fusion(nn.Module):
    """One stage: the student's map and what came from deeper, gated pixel by pixel, then mapped to the teacher's.

    Args:
        given: channels of the student's stage.
        width: channels of what is passed on.
        wanted: channels of the teacher's stage.
        deepest: whether nothing comes from deeper.
    """

    def __init__(self, given: int, width: int, wanted: int, *, deepest: bool) -> None:
        super().__init__()
        self.enter = nn.Conv2d(given, width, 1, bias=False)
        self.leave = nn.Conv2d(width, wanted, 3, padding=1, bias=False)
        self.gate = None if deepest else nn.Conv2d(2 * width, 2, 1)

    def forward(self, features: Tensor, deeper: Tensor | None, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """What the teacher's stage is compared with, at its `size`; and what is passed on."""
        fused: Tensor = self.enter(features)
        if self.gate is not None and deeper is not None:
            alike = deeper.shape[2:] == fused.shape[2:]
            beside = deeper if alike else F.interpolate(deeper, size=fused.shape[2:], mode="nearest")
            one, two = self.gate.weight.chunk(2, dim=1)  # as of both side by side, which are never copied
            gates = torch.sigmoid(F.conv2d(fused, one, self.gate.bias) + F.conv2d(beside, two))
            fused = fused * gates[:, :1] + beside * gates[:, 1:]
        return self.leave(resize(fused, size)), fused


class Review(Objective):
    """Stages reviewed from deep to shallow, their losses added up, mean over the batch's weight.

    The authors' batch normalisation behind each convolution is left out, so that a row's value is its own. Where a
    stage's map is of another size than the teacher's, their code takes the nearest pixels and passes the resized map on
    to the next stage; here it is averaged (bilinear where it grows), and what is passed on keeps the student's size.
    Where the sizes agree stage by stage, both do the same.

    Args:
        student: paths of the student's stages, from shallow to deep, two or more.
        teacher: paths of the teacher's, as many.
        width: channels of what is passed from stage to stage.

    Raises:
        RecipeError: there are not as many paths on both sides, or fewer than two, or no width.

    Example:
        >>> Review(("layer1", "layer2"), ("layer1", "layer2"), width=64)
        Review(student=['layer1', 'layer2'], teacher=['layer1', 'layer2'], width=64)
    """

    def __init__(self, student: tuple[str, ...], teacher: tuple[str, ...], width: int = 256) -> None:
        super().__init__()
        if len(student) != len(teacher):
            raise RecipeError(
                f"teacher: expected as many paths as student has, {len(student)}; got {len(teacher)}: {teacher!r}"
            )
        check_at_least("width", width, 1)
        self.student, self.teacher, self.width = as_many("student", student), as_many("teacher", teacher), width
        self.stages: nn.ModuleList | None = None

    def needs(self) -> Needs:
        """Every stage's tap."""
        return Needs(student_taps=self.student, teacher_taps=self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes a fusion a stage."""
        made = []
        for number, (mine, other) in enumerate(zip(self.student, self.teacher, strict=True), start=1):
            given = grid_shape(student, mine, "student", CARD.name)[0]
            wanted = grid_shape(teacher, other, "teacher", CARD.name)[0]
            made.append(Fusion(given, self.width, wanted, deepest=number == len(self.student)))
        self.stages = nn.ModuleList(made)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"review": scalar}`."""
        stages = built(self.stages, CARD.name)
        deeper: Tensor | None = None
        rows: list[Tensor] = []
        for mine, other, stage in reversed(list(zip(self.student, self.teacher, stages, strict=True))):
            given, there = (
                as_grid(read(signals, tap, who, CARD.name), f"{CARD.name}: the {who}'s activation", batch.mask)
                for signals, tap, who in ((student, mine, "student"), (teacher, other, "teacher"))
            )
            made, deeper = stage(given, deeper, tuple(there.shape[2:]))
            rows.append(hierarchical_rows(made, there.detach()))
        return {CARD.name: weighted_mean(torch.stack(rows).sum(dim=0), batch.weight)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
