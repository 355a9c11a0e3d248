"""Channel-wise distillation (CWD): each channel's distribution over positions follows the teacher's."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.objectives.bridges import Bridge
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.ranges import check_temperature
from limbeck.objectives.reading import bridge_at, bridged, read_both, taps_needed
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="channel-wise",
    summary="Each channel, softened over positions, follows the teacher's channel.",
    needs="one tap a side with positions (grids or tokens); no labels",
    cost="one softmax over positions a channel; a 1x1 convolution where channels differ",
    memory="both taps' activations, twice; the convolution, dropped afterwards",
    variants="none; temperature",
    helps="dense prediction: segmentation and detection maps, logits with positions included",
    hurts="classification, where positions matter little; maps of a few pixels",
    paper="Shu, Liu, Gao, Yan, Shen 2021, Channel-wise Knowledge Distillation for Dense Prediction, ICCV, "
    "arXiv 2011.13256, equations 2 to 4",
    suggested="temperature 4; weight 3 on logits, 50 on feature maps, as in the paper",
)


def channel_wise_rows(
    student: Float[Tensor, "b channels positions"],
    teacher: Float[Tensor, "b channels positions"],
    temperature: float = 4.0,
    real: Tensor | None = None,
) -> Float[Tensor, " b"]:
    """`T^2 / C sum_c KL(softmax(t_c / T) || softmax(s_c / T))` over positions, in nats times `T^2`.

    Args:
        student: activations of each channel at each position.
        teacher: likewise.
        temperature: T > 0; large values look at wider regions.
        real: true where a position is real.

    Example:
        >>> maps = torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> channel_wise_rows(maps + 7, maps)
        tensor([0.])
    """
    student, teacher = student / temperature, teacher / temperature
    if real is not None:  # after the division, which at low temperatures would make infinity of it
        hidden = torch.finfo(student.dtype).min / 8
        student, teacher = (side.masked_fill(~real[:, None], hidden) for side in (student, teacher))
    log_student, log_teacher = torch.log_softmax(student, dim=2), torch.log_softmax(teacher, dim=2)
    divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(dim=2)
    return temperature**2 * divergence.mean(dim=1)


class ChannelWise(Objective):
    """Channels' distributions over positions, mean over the batch's weight.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.
        temperature: T > 0.

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> ChannelWise("head", "head")
        ChannelWise(student='head', teacher='head')
    """

    def __init__(self, student: str, teacher: str, temperature: float = 4.0) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        check_temperature(temperature)
        self.temperature = temperature
        self.bridge: Bridge | None = None

    def needs(self) -> Needs:
        """One tap a side."""
        return taps_needed(self.student, self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes the bridge."""
        self.bridge = bridge_at(CARD.name, (student, self.student), (teacher, self.teacher))
        if len(teacher[self.teacher]) == 1:
            raise ModelError(f"{CARD.name} needs positions, but the teacher's {self.teacher!r} is a vector; tap deeper")

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"channel-wise": scalar}`."""
        mine, other = read_both(CARD.name, (student, self.student), (teacher, self.teacher))
        mine, other, real = bridged(CARD.name, self.bridge, mine, other, batch)
        mine, other = (side.flatten(2) if side.ndim == 4 else side.transpose(1, 2) for side in (mine, other))
        rows = channel_wise_rows(mine, other, self.temperature, real)
        return {CARD.name: weighted_mean(rows, batch.weight)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
