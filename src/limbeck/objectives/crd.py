"""CRD, contrastive representation distillation: both sides agree on which example they see, among many others."""

from collections.abc import Mapping
from math import log

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import RecipeError
from limbeck.objectives.bridges import bridge
from limbeck.objectives.card import MethodCard
from limbeck.objectives.memory import Memory
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.positions import real_positions
from limbeck.objectives.ranges import check_at_least, check_positive, check_share, check_temperature
from limbeck.objectives.reading import built, read_both, shape_at, taps_needed
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.relations import unit
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="crd",
    summary="Each side's embedding of an example finds the other side's among those of other examples.",
    needs="one tap a side, pooled where it has positions; no labels (negatives may share the example's class)",
    cost="a linear map a side, and batch x (batch + memory) x width products",
    memory="the maps, dropped afterwards; batch x (batch + memory) numbers a direction; 8 x width + 9 bytes a "
    "slot of the memory",
    variants="examples: none (InfoNCE), or the data set's size (the paper's critic); constant (the authors' code "
    "divides by it)",
    helps="the layer before the classifier; transfer of representations; beside soft targets",
    hurts="small batches without a memory; few classes, where most negatives are of the example's own class",
    paper="Tian, Krishnan, Isola 2020, Contrastive Representation Distillation, arXiv 1910.10699, equations 10 and 19",
    suggested="width 128, temperature 0.07 to 0.1, weight 0.8 (paper, with its 16384 negatives); memory 4096 and more",
)


def contrast_rows(
    scores: Float[Tensor, "b n"],
    positive: Float[Tensor, " b"],
    negatives: Bool[Tensor, "b n"],
    examples: int | None,
    constant: float = 1.0,
) -> Float[Tensor, " b"]:
    """How badly each row's positive stands out among its negatives, in nats.

    Args:
        scores: similarity over temperature with every candidate.
        positive: that with the row's own counterpart.
        negatives: which candidates are negatives; where there are none the row's value is 0 (InfoNCE).
        examples: `None`: InfoNCE, `-log(e^pos / (e^pos + sum e^neg))`. M, the data set's size: the paper's
            `-log h(pos) - sum log(1 - h(neg))` with `h = e^score / (e^score + Z N / M)` for N negatives.
        constant: Z, above 0; 1 in the paper, where the authors' code divides by it. InfoNCE has none.

    Example:
        >>> contrast_rows(torch.zeros(1, 3), torch.zeros(1), torch.tensor([[True, True, False]]), None)
        tensor([1.0986])
    """
    if examples is None:
        others = scores.masked_fill(~negatives, torch.finfo(scores.dtype).min / 8)
        return torch.logsumexp(torch.cat([positive[:, None], others], dim=1), dim=1) - positive
    noise = negatives.sum(dim=1).clamp_min(1).to(scores.dtype).log() + log(constant / examples)
    rejected = torch.where(negatives, F.softplus(scores - noise[:, None]), 0).sum(dim=1)
    return F.softplus(noise - positive) + rejected


class CRD(Objective):
    """Both directions' contrast, mean over the batch's weight; the value couples a batch, which processes gather.

    The paper scores against its data set's memory with the noise-contrastive critic of equation 19; `examples` chooses
    that critic, otherwise it is InfoNCE, which needs no size. Negatives are the other examples of the batch, and of the
    memory where there is one, whatever their class. The authors' code divides `e^score` by a constant Z, M times its
    mean over the first batch, so that a score is held against an average one times N; `constant` sets Z, and
    `convert.from_mdistiller_crd` says how large it is.

    Args:
        student: path of the student's tap.
        teacher: path of the teacher's tap.
        width: of the embeddings.
        temperature: of the similarities, above 0; small values look at the nearest negatives only.
        memory: how many examples are remembered beyond the batch; 0: none.
        momentum: share of what was remembered of an example when it comes again.
        examples: `None` (InfoNCE), or the number of examples M in the paper's critic.
        constant: Z in that critic, above 0; the paper has none (1).

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> CRD("avgpool", "avgpool", memory=4096)
        CRD(student='avgpool', teacher='avgpool', memory=4096)
    """

    couples_batch = True

    def __init__(
        self,
        student: str,
        teacher: str,
        *,
        width: int = 128,
        temperature: float = 0.07,
        memory: int = 0,
        momentum: float = 0.5,
        examples: int | None = None,
        constant: float = 1.0,
    ) -> None:
        super().__init__()
        check_at_least("width", width, 1)
        check_temperature(temperature)
        check_at_least("memory", memory, 0)
        check_share("momentum", momentum, zero=True)
        if examples is not None and examples < 1:
            raise RecipeError(f"examples: {examples} is below 1; give the number of training examples, or leave it out")
        self.student, self.teacher, self.width, self.temperature = student, teacher, width, temperature
        check_positive("constant", constant)
        if constant != 1 and examples is None:
            raise RecipeError("constant: it belongs to the paper's critic; give examples too, or leave it out")
        self.memory, self.momentum, self.examples, self.constant = memory, momentum, examples, constant
        self.embed: nn.ModuleList | None = None
        self.bank: Memory | None = None

    def needs(self) -> Needs:
        """One tap a side."""
        return taps_needed(self.student, self.teacher)

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes both embeddings and the memory."""
        mine = shape_at(student, self.student, "student", CARD.name)
        other = shape_at(teacher, self.teacher, "teacher", CARD.name)
        self.embed = nn.ModuleList(bridge(shape, (self.width,), learned=True) for shape in (mine, other))
        self.bank = Memory(self.memory, self.width, self.momentum) if self.memory else None

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"crd": scalar}`; in training, the batch is remembered afterwards."""
        mine, other = read_both(CARD.name, (student, self.student), (teacher, self.teacher))
        other = other.detach()
        embed = built(self.embed, CARD.name)
        s, t = (
            unit(part(side, real_positions(side, batch.mask, CARD.name)))
            for part, side in zip(embed, (mine, other), strict=True)
        )
        counts = torch.ones_like(batch.ids, dtype=torch.bool) if batch.weight is None else batch.weight > 0
        negatives = counts & (batch.ids[:, None] != batch.ids)
        banks = (s[:0], t[:0])
        if self.bank is not None:
            negatives = torch.cat([negatives, self.bank.others(batch.ids)], dim=1)
            banks = (self.bank.student.to(s.dtype, copy=True), self.bank.teacher.to(t.dtype, copy=True))
        positive = (s * t).sum(dim=1) / self.temperature
        towards_teacher = s @ torch.cat([t, banks[1]]).T / self.temperature
        towards_student = t @ torch.cat([s, banks[0]]).T / self.temperature
        rows = contrast_rows(towards_teacher, positive, negatives, self.examples, self.constant)
        rows = rows + contrast_rows(towards_student, positive, negatives, self.examples, self.constant)
        if self.bank is not None and self.training:
            self.bank.remember(batch.ids, counts, s.detach(), t.detach())
        return {CARD.name: weighted_mean(rows, batch.weight, counts)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
