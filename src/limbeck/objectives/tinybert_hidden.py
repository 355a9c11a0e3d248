"""TinyBERT's hidden states: a learned matrix maps every token of the student to the teacher's."""

from collections.abc import Mapping

from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.bridges import Bridge
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.positions import mean
from limbeck.objectives.reading import bridge_at, bridged, read_both, taps_needed
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="tinybert-hidden",
    summary="Every token's hidden state, through a learned matrix, equals the teacher's: mean of squares.",
    needs="one tap a side, tokens or vectors; no labels",
    cost="a student x teacher matrix on every token, learned even where widths agree, as in the paper",
    memory="the matrix, dropped afterwards; both taps' tokens",
    variants="none",
    helps="transformers on unlabelled text, before soft targets: a stage of its own",
    hurts="beside soft targets from the start, where it binds the student's middle layers",
    paper="Jiao et al. 2020, TinyBERT: Distilling BERT for Natural Language Understanding, arXiv 1909.10351, eq. 8",
    suggested="layer m of the student to layer m * (teacher's layers / student's layers); weight 1",
)


class TinyBERTHidden(Objective):
    """`MSE(H_s W, H_t)`: the mean over real tokens and widths of each row, mean over the batch's weight.

    W has no bias. Sequences of unlike length are interpolated.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.

    Example:
        >>> TinyBERTHidden("layers.1", "layers.3")
        TinyBERTHidden(student='layers.1', teacher='layers.3')
    """

    def __init__(self, student: str, teacher: str) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        self.bridge: Bridge | None = None

    def needs(self) -> Needs:
        """One tap a side."""
        return taps_needed(self.student, self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes the matrix."""
        self.bridge = bridge_at(
            CARD.name, (student, self.student), (teacher, self.teacher), sequence=True, learned=True, bias=False
        )

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"tinybert-hidden": scalar}`."""
        mine, other = read_both(CARD.name, (student, self.student), (teacher, self.teacher))
        mine, other, real = bridged(CARD.name, self.bridge, mine, other, batch)
        return {CARD.name: weighted_mean(mean((mine - other) ** 2, real), batch.weight)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
