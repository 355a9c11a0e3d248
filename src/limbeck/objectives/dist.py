r"""DIST: the correlation of probabilities, along each row and along each class of the batch (Huang et al. 2022)."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.by_hand import with_gradient
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import both_logits
from limbeck.objectives.ranges import check_at_least_zero, check_temperature
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.tempered import probabilities
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="dist",
    summary="Pearson's correlation of student and teacher, over the classes of a row and over the rows of a class.",
    needs="teacher logits; multiclass; no labels; the value depends on who shares the batch",
    cost="two softmaxes and the correlations of all rows and all classes, batch x classes",
    memory="batch x classes numbers, several a side",
    variants="standardize (logits of mean 0 and deviation 1 first)",
    helps="a teacher much stronger than the student, trained with strong augmentation: relations are easier to match",
    hurts="small batches and many classes: a class that nobody in the batch resembles has a correlation of noise; "
    "confidence is not taught, so keep hard-labels beside it",
    paper="Huang et al. 2022, Knowledge Distillation from A Stronger Teacher, arXiv 2205.10536, section 3",
    suggested="beta 1, gamma 1, temperature 1 (ImageNet) or beta 2, gamma 2, temperature 4 (CIFAR-100); hard-labels 1",
)

FLOOR = 1e-3
"""Entries that vary by less than this share of their size are as good as constant, and are divided by this share."""


def correlation_distances(
    student: Float[Tensor, "n k"], teacher: Float[Tensor, "n k"], weight: Float[Tensor, " k"] | None = None
) -> Float[Tensor, " n"]:
    r"""`1 - rho` of each row, rho Pearson's correlation of the two sides over `k` entries, weighted.

    Computed as half the squared distance of the centred, normalised rows, which is the same, exactly 0 at equality and
    never negative. It lies in 0..2. A row that is constant (a head that starts at zero) has no correlation: where both
    are, it is 0, where one is, 1/2, and gradients stay finite.

    Args:
        student: the one side.
        teacher: the other; no gradient flows into it.
        weight: weight of each entry; an entry of weight 0 might as well not be there.

    Example:
        >>> rows = torch.tensor([[1.0, 2.0, 3.0]])
        >>> correlation_distances(2 * rows + 5, rows), correlation_distances(-rows, rows).round(decimals=3)
        (tensor([0.]), tensor([2.]))
    """
    return with_gradient(_distances, _distances_by_hand, student, teacher.detach(), weight)


class _Rows(NamedTuple):
    """Rows of one side, each entry times the root of its share: the weighted sum of squares is a plain one."""

    values: Tensor
    root: Tensor | None
    direction: Tensor
    least: Tensor
    divisor: Tensor


def _rows(values: Float[Tensor, "n k"], weight: Float[Tensor, " k"] | None) -> _Rows:
    root = None  # equal shares leave the direction alone
    if weight is None:
        centred = values - values.mean(dim=1, keepdim=True)
    else:
        weight = weight.to(values.dtype)
        share = weight / weight.sum().clamp(min=torch.finfo(values.dtype).tiny)
        root = share.sqrt()
        centred, values = (values - (values @ share)[:, None]) * root, values * root
    least = FLOOR * torch.linalg.vector_norm(values, dim=1, keepdim=True) + torch.finfo(values.dtype).tiny ** 0.5
    divisor = torch.maximum(torch.linalg.vector_norm(centred, dim=1, keepdim=True), least)
    return _Rows(values, root, centred / divisor, least, divisor)


def _distances(student: Tensor, teacher: Tensor, weight: Tensor | None) -> Float[Tensor, " n"]:
    return (_rows(student, weight).direction - _rows(teacher, weight).direction).square().sum(dim=1) / 2


def _distances_by_hand(student: Tensor, teacher: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    mine = _rows(student, weight)
    apart = mine.direction - _rows(teacher, weight).direction
    along = torch.linalg.vecdot(apart, mine.direction)[:, None]
    constant = mine.values * (FLOOR**2 / mine.least)  # their divisor does not depend on how they vary
    pull = torch.where(mine.divisor > mine.least, mine.direction, constant)
    gradient = torch.addcmul(apart, along, pull, value=-1).div_(mine.divisor)
    return torch.linalg.vecdot(apart, apart) / 2, gradient if mine.root is None else gradient.mul_(mine.root)


class DIST(Objective):
    """`T^2 (beta inter + gamma intra)`: one minus the mean correlation over rows, and over classes.

    *Inter* compares the classes of each row, weighted mean over rows. *Intra* compares the rows of each class, weighted
    by the batch's weight, mean over classes: it depends on who shares the batch, which processes gather. Two terms
    are logged, `dist-inter` and `dist-intra`, each with its factor. (`T^2` is the authors' code's.)

    Args:
        beta: factor of the inter-class relation, at least 0.
        gamma: factor of the intra-class relation, at least 0; nothing comes of it with a single row.
        temperature: T > 0 of both softmaxes.
        standardize: whether both sides' logits are standardised first (Sun et al. 2024).

    Raises:
        RecipeError: a factor or the temperature is out of range.

    Example:
        >>> teacher = torch.tensor([[4.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
        >>> DIST()(teacher, teacher)
        tensor(0.)
    """

    couples_batch = True

    def __init__(
        self, beta: float = 1.0, gamma: float = 1.0, temperature: float = 1.0, standardize: bool = False
    ) -> None:
        super().__init__()
        check_at_least_zero("beta", beta)
        check_at_least_zero("gamma", gamma)
        check_temperature(temperature)
        self.beta = beta
        self.gamma = gamma
        self.temperature = temperature
        self.standardize = standardize

    def needs(self) -> Needs:
        """The teacher's logits."""
        return Needs(teacher=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"dist-inter": scalar, "dist-intra": scalar}`."""
        inter, intra = self._relations(*both_logits("dist", student, teacher), batch.weight)
        return {"dist-inter": inter, "dist-intra": intra}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The sum of both terms for student and teacher logits of shape `(b, classes)`."""
        inter, intra = self._relations(student, other, weight)
        return inter + intra

    def _relations(self, student: Tensor, other: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
        check_alike(student, other)
        p, q = (probabilities(side, self.temperature, self.standardize) for side in (other.detach(), student))
        inter = weighted_mean(correlation_distances(q, p), weight)
        intra = correlation_distances(q.T, p.T, weight).mean()
        return self._scaled(self.beta, inter), self._scaled(self.gamma, intra)

    def _scaled(self, factor: float, value: Tensor) -> Tensor:
        factor *= self.temperature**2
        return value if factor == 1 else factor * value

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
