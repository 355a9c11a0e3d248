"""Correlation congruence (CC): kernels between all examples of a batch agree."""

from collections.abc import Mapping
from math import exp
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.ranges import check_at_least, check_choice, check_positive
from limbeck.objectives.reading import read_vectors, taps_needed
from limbeck.objectives.relations import cosines, mean_over_pairs, relatives
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="correlation-congruence",
    summary="The student keeps the correlation, under a kernel, of every two examples of a batch.",
    needs="logits or one tap a side, of any widths; padded tokens are left out; no labels",
    cost="one kernel matrix a side, batch^2 x width products, and `order` powers of it",
    memory="batch^2 numbers a side and power",
    variants="kernel: gaussian (on vectors of length 1), bilinear",
    helps="beside soft targets, which look at one example at a time; fine-grained classes and faces in the paper",
    hurts="batches of random examples of many classes, whose correlations are all alike (the paper draws several "
    "examples of each class)",
    paper="Peng et al. 2019, Correlation Congruence for Knowledge Distillation, ICCV, arXiv 1904.01802, eqs. 5 to 10",
    suggested="gamma 0.4 and order 2 as in the paper; the layer before the classifier; batches of 40 and more",
)


def correlations(
    rows: Float[Tensor, "b d"], kernel: str = "gaussian", gamma: float = 0.4, order: int = 2
) -> Float[Tensor, "b b"]:
    """The kernel of every two rows: "bilinear", `x . y`; or "gaussian" on vectors of length 1, as its Taylor sum.

    The sum is `exp(-2 gamma) * sum_{p <= order} (2 gamma)^p / p! (x . y)^p`, which tends to
    `exp(-gamma ||x - y||^2)` as `order` grows.

    Example:
        >>> correlations(torch.eye(2), gamma=0.5, order=9)
        tensor([[1.0000, 0.3679],
                [0.3679, 1.0000]])
    """
    if kernel == "bilinear":
        return rows @ rows.T
    cosine = cosines(rows)
    total, term = torch.ones_like(cosine), torch.ones_like(cosine)
    for power in range(1, order + 1):
        term = term * (2 * gamma / power) * cosine
        total = total + term
    return exp(-2 * gamma) * total


def correlation_congruence(
    student: Float[Tensor, "b s"],
    teacher: Float[Tensor, "b t"],
    weight: Float[Tensor, " b"] | None = None,
    *,
    kernel: str = "gaussian",
    gamma: float = 0.4,
    order: int = 2,
) -> Float[Tensor, ""]:
    """`1 / b^2 ||K_t - K_s||_F^2`, the mean squared difference of correlations.

    Args:
        student: one vector a row.
        teacher: likewise, of any width; no gradient flows into it.
        weight: one number a row; a pair counts with the product of its rows'.
        kernel: "gaussian" (vectors are scaled to length 1 first) or "bilinear".
        gamma: of the Gaussian, above 0.
        order: terms of its Taylor sum, at least 1.

    Example:
        >>> rows = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
        >>> correlation_congruence(3 * rows, rows).item() < 1e-12
        True
    """
    mine, other, weights, _ = relatives(student, teacher, weight, CARD.name)
    here, there = (correlations(each, kernel, gamma, order) for each in (mine, other))
    return mean_over_pairs(F.mse_loss(here, there, reduction="none"), weights)


class CorrelationCongruence(Objective):
    """Correlations between examples; the value couples a batch, which processes gather.

    Args:
        student: path of the student's tap; `None` reads logits.
        teacher: path of the teacher's tap; `None` reads logits.
        kernel: "gaussian" or "bilinear"; see `correlations`.
        gamma: of the Gaussian, above 0; small: all pairs look alike.
        order: terms of its Taylor sum, at least 1.

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> objective = CorrelationCongruence()
        >>> objective(torch.eye(3), torch.tensor([[0.0], [2.0], [3.0]])).item() > 0
        True
    """

    couples_batch = True

    def __init__(
        self,
        student: str | None = None,
        teacher: str | None = None,
        kernel: Literal["gaussian", "bilinear"] = "gaussian",
        gamma: float = 0.4,
        order: int = 2,
    ) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        check_choice("kernel", kernel, ("gaussian", "bilinear"))
        self.kernel = kernel
        check_positive("gamma", gamma)
        check_at_least("order", order, 1)
        self.gamma, self.order = gamma, order

    def needs(self) -> Needs:
        """One tap a side, or logits."""
        return taps_needed(self.student, self.teacher)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"correlation-congruence": scalar}`."""
        both = read_vectors(CARD.name, (student, self.student), (teacher, self.teacher), batch)
        return {CARD.name: self.on_tensors(*both, batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for two representations of the same rows."""
        return correlation_congruence(
            student.flatten(1), other.flatten(1), weight, kernel=self.kernel, gamma=self.gamma, order=self.order
        )

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
