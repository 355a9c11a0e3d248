r"""Decoupled knowledge distillation: the true class and the others, each with its own weight (Zhao et al. 2022)."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import both_logits, labels
from limbeck.objectives.ranges import check_at_least_zero, check_temperature
from limbeck.objectives.reduce import full_precision, weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.tempered import divergence, standardized
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="dkd",
    summary="Soft targets in two parts: how sure of the true class, and what of the others, weighted apart.",
    needs="teacher logits and labels (unlabelled rows are left out); multiclass with three classes or more",
    cost="two softmaxes and a gather a side, batch x classes",
    memory="batch x classes numbers, several a side",
    variants="standardize (logits of mean 0 and deviation 1 first)",
    helps="a teacher that is nearly sure of the true class, which mutes what soft targets say of the others",
    hurts="few or wrong labels; a large beta over many classes drowns the labels' own term; two classes leave nothing "
    "to decouple (refused)",
    paper="Zhao et al. 2022, Decoupled Knowledge Distillation, arXiv 2203.08679, equation 7",
    suggested="alpha 1; beta 8 (CIFAR-100), 0.5 to 2 where the teacher is barely better; temperature 4 (CIFAR), 1 "
    "(ImageNet); warm-up: weight {kind: rise, value: 1, share: 0.08} (20 of 240 epochs)",
)


def dkd_rows(
    student_logits: Float[Tensor, "b classes"],
    teacher_logits: Float[Tensor, "b classes"],
    target: Int[Tensor, " b"],
    temperature: float,
    standardize: bool = False,
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    r"""`T^2 TCKD` and `T^2 NCKD` of each row, unweighted, in nats times `T^2`.

    TCKD is the KL of (true class, all others); NCKD the KL over the others alone, renormalised. With `p` the teacher's
    probability of the true class, `soft targets = TCKD + (1 - p) NCKD` (equation 6).

    Args:
        student_logits: scores before the softmax, at least three classes.
        teacher_logits: likewise; no gradient flows into them.
        target: class indices, 0 <= target < classes.
        temperature: T > 0.
        standardize: whether both sides' logits are standardised first, see `standardized`.

    Example:
        >>> import torch
        >>> logits, labels = torch.tensor([[4.0, 1.0, 0.0]]), torch.tensor([0])
        >>> dkd_rows(torch.zeros(1, 3), logits, labels, 1.0)
        (tensor([0.8172]), tensor([0.1109]))
    """
    log_student, student_others = _parts(student_logits, target, temperature, standardize)
    log_teacher, teacher_others = _parts(teacher_logits.detach(), target, temperature, standardize)
    scale = temperature**2
    return scale * divergence(log_teacher, log_student), scale * divergence(teacher_others, student_others)


def _parts(
    logits: Float[Tensor, "b classes"], target: Int[Tensor, " b"], temperature: float, standardize: bool
) -> tuple[Float[Tensor, "b two"], Float[Tensor, "b others"]]:
    """Log-probabilities of (true class, all others), and of each other class among the others."""
    tempered = (standardized(logits) if standardize else full_precision(logits)) / temperature
    true = target.long()[:, None]
    index = torch.arange(logits.shape[1] - 1, device=logits.device)[None]
    others = tempered.gather(1, index + (index >= true))
    two = torch.cat([tempered.gather(1, true), others.logsumexp(dim=1, keepdim=True)], dim=1)
    return torch.log_softmax(two, dim=1), torch.log_softmax(others, dim=1)


class DKD(Objective):
    """`T^2 (alpha TCKD + beta NCKD)`, mean over the weight of the *labelled* rows (0 where there are none).

    Two terms are logged, `dkd-target` and `dkd-others`, each with its factor.

    Args:
        alpha: factor of the true class's part, at least 0.
        beta: factor of the other classes' part, at least 0; soft targets have the teacher's doubt in its place.
        temperature: T > 0.
        standardize: whether both sides' logits are standardised first (Sun et al. 2024).

    Raises:
        RecipeError: a factor or the temperature is out of range.

    Example:
        >>> DKD(temperature=1)(torch.zeros(1, 3), torch.tensor([[4.0, 1.0, 0.0]]))
        Traceback (most recent call last):
        TypeError: DKD reads labels too: call it on signals and their batch
    """

    def __init__(
        self, alpha: float = 1.0, beta: float = 8.0, temperature: float = 4.0, standardize: bool = False
    ) -> None:
        super().__init__()
        check_at_least_zero("alpha", alpha)
        check_at_least_zero("beta", beta)
        check_temperature(temperature)
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature
        self.standardize = standardize

    def needs(self) -> Needs:
        """The teacher's logits, and labels."""
        return Needs(teacher=True, labels=True)

    def check_outputs(self, outputs: int) -> None:
        """At least three classes.

        Raises:
            ModelError: there are fewer.
        """
        if outputs < 3:
            raise ModelError(
                f"dkd needs at least three classes, there are {outputs}: with two, the part over the other classes is "
                "always 0 and the rest is soft-targets; use that"
            )

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"dkd-target": scalar, "dkd-others": scalar}`; unlabelled rows are left out.

        Raises:
            ModelError: there are only two classes, no labels, or views that mix two examples.
        """
        given, other = both_logits("dkd", student, teacher)
        target, labelled = labels("dkd", batch)
        check_alike(given, other)
        self.check_outputs(given.shape[1])
        parts = dkd_rows(given, other, target, self.temperature, self.standardize)
        of_target, of_others = (weighted_mean(rows, batch.weight, labelled) for rows in parts)
        return {"dkd-target": self.alpha * of_target, "dkd-others": self.beta * of_others}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """Refused: two tensors hold no labels.

        Raises:
            TypeError: always.
        """
        del student, other, weight
        raise TypeError("DKD reads labels too: call it on signals and their batch")

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
