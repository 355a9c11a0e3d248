"""Masked generative distillation (MGD): from half of the student's pixels, a small decoder makes the teacher's map."""

from collections.abc import Mapping
from math import prod
from typing import Literal

from torch import Tensor, nn

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import RecipeError
from limbeck.objectives.bridges import Bridge
from limbeck.objectives.bridges.grids import as_grid
from limbeck.objectives.card import MethodCard
from limbeck.objectives.draws import uniform
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.positions import total
from limbeck.objectives.ranges import check_at_least, check_choice
from limbeck.objectives.reading import bridge_at, bridged, built, grid_shape, read_both, taps_needed
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="mgd",
    summary="Some of the student's pixels are hidden; two convolutions generate the teacher's map from the rest.",
    needs="one tap a side, the teacher's a grid or tokens of a square (no padding); no labels",
    cost="a 1x1 and two 3x3 convolutions at the teacher's width, 18 x channels^2 products a position; often more than "
    "the student",
    memory="the convolutions, dropped afterwards; three maps of the teacher's size an example",
    variants="mask: pixels (the paper), channels (the authors' code for classification, with ratio 0.15)",
    helps="dense prediction; late feature maps",
    hurts="maps of a few pixels; small budgets, since the decoder has to be learned too",
    paper="Yang, Li, Jiang, Gong, Yuan, Zhao, Yuan 2022, Masked Generative Distillation, ECCV, arXiv 2205.01529, eq. 4",
    suggested="ratio 0.5 (classification; with mask channels 0.15), 0.65 to 0.75 (detection, segmentation); weight "
    "7e-5 (classification), 2e-5 (detection, segmentation) for the sum",
)


class Decoder(nn.Sequential):
    """`conv3x3, ReLU, conv3x3` at one width, same size."""

    def __init__(self, channels: int) -> None:
        one, two = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        super().__init__(one, nn.ReLU(), two)


class MGD(Objective):
    """The teacher's map generated from a masked student's, mean over the batch's weight.

    A row's value is the sum of squared differences over the map (equation 4). What is hidden depends on seed, example
    id and view alone, so that a resumed run hides the same.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.
        ratio: chance that a pixel, or a channel, is hidden, 0 <= ratio < 1.
        seed: another one hides others, at least 0.
        mask: "pixels", all channels of a pixel at once (the paper); "channels", all pixels of a channel (the authors'
            code for classification, with a ratio of 0.15).

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> MGD("layer4", "layer4", ratio=0.65)
        MGD(student='layer4', teacher='layer4', ratio=0.65)
    """

    def __init__(
        self,
        student: str,
        teacher: str,
        ratio: float = 0.5,
        seed: int = 0,
        mask: Literal["pixels", "channels"] = "pixels",
    ) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        if not 0 <= ratio < 1:
            raise RecipeError(f"ratio: {ratio} is not in [0, 1); it is the share that is hidden")
        check_at_least("seed", seed, 0)
        check_choice("mask", mask, ("pixels", "channels"))
        self.ratio, self.seed, self.mask = ratio, seed, mask
        self.bridge: Bridge | None = None
        self.decoder: Decoder | None = None

    def needs(self) -> Needs:
        """One tap a side."""
        return taps_needed(self.student, self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes the bridge and the decoder."""
        grid = grid_shape(teacher, self.teacher, "teacher", CARD.name)
        self.bridge = bridge_at(CARD.name, (student, self.student), (teacher, self.teacher), wanted=grid)
        self.decoder = Decoder(grid[0])

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"mgd": scalar}`."""
        mine, other = read_both(CARD.name, (student, self.student), (teacher, self.teacher))
        other = as_grid(other, f"{CARD.name}: the teacher's activation", batch.mask)
        mine, other, _ = bridged(CARD.name, self.bridge, mine, other, batch)
        masked = (1, *other.shape[2:]) if self.mask == "pixels" else (other.shape[1], 1, 1)
        seen = uniform(batch.ids, batch.views, prod(masked), self.seed).reshape(-1, *masked) >= self.ratio
        made = built(self.decoder, CARD.name)(mine * seen)
        return {CARD.name: weighted_mean(total((made - other) ** 2), batch.weight)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
