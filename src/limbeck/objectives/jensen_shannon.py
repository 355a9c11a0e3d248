r"""Jensen-Shannon: between forward and reverse KL, and bounded (generalised, as in GKD, Agarwal et al. 2024)."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import both_logits
from limbeck.objectives.ranges import check_share, check_temperature
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.tempered import divergence, log_mixture, log_probabilities
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="jensen-shannon",
    summary="How far student and teacher each lie from their mixture: bounded, symmetric at beta 0.5.",
    needs="teacher logits; multiclass; no labels",
    cost="as soft-targets, and a logarithm of the mixture a class",
    memory="batch x classes numbers for each side and the mixture",
    variants="beta (the teacher's share of the mixture); standardize (logits of mean 0 and deviation 1 first)",
    helps="a teacher that is sure and sometimes wrong: no row can cost more than ln 2 times T^2 (at beta 0.5)",
    hurts="where the student is far off: bounded also means a weak gradient, and small weights of beta (near 0 or 1) "
    "shrink the value in proportion",
    paper="Agarwal et al. 2024, On-Policy Distillation (GKD), arXiv 2306.13649, section 2; Lin 1991",
    suggested="beta 0.5, temperature 1; beta 0.1 leans to forward KL, 0.9 to reverse",
)


def jensen_shannon_rows(
    student_logits: Float[Tensor, "b classes"],
    teacher_logits: Float[Tensor, "b classes"],
    beta: float,
    temperature: float,
    standardize: bool = False,
) -> Float[Tensor, " b"]:
    r"""`T^2 (beta KL(p || m) + (1 - beta) KL(q || m))` of each row, `m = beta p + (1 - beta) q`.

    `p` is what the teacher says, `q` what the student says, both at temperature T.
    Never more than `T^2 (-beta ln beta - (1 - beta) ln(1 - beta))`. Divided by `beta`, it tends to `T^2 KL(p || q)` as
    beta falls to 0; divided by `1 - beta`, to `T^2 KL(q || p)` as beta rises to 1. (Some code returns those limits
    themselves at 0 and 1; here both ends are refused: `SoftTargets` and `ReverseKL` are what they would be.)

    Args:
        student_logits: scores before the softmax.
        teacher_logits: scores before the softmax; no gradient flows into them.
        beta: the teacher's share of the mixture, 0 < beta < 1.
        temperature: T > 0.
        standardize: whether both sides' logits are standardised first, see `standardized`.

    Example:
        >>> import torch
        >>> jensen_shannon_rows(torch.tensor([[0.0, 99.0]]), torch.tensor([[99.0, 0.0]]), 0.5, 1.0)
        tensor([0.6931])
    """
    log_q = log_probabilities(student_logits, temperature, standardize)
    log_p = log_probabilities(teacher_logits.detach(), temperature, standardize)
    log_m = log_mixture(log_p, log_q, beta)
    return temperature**2 * (beta * divergence(log_p, log_m) + (1 - beta) * divergence(log_q, log_m))


class JensenShannon(Objective):
    """The generalised Jensen-Shannon divergence times `T^2`, summed over classes, mean over the batch's weight.

    Args:
        beta: the teacher's share of the mixture, 0 < beta < 1; 0.5 is the symmetric divergence of the name.
        temperature: T > 0; 1 leaves the probabilities as they are.
        standardize: whether both sides' logits are standardised first (Sun et al. 2024).

    Raises:
        RecipeError: beta or the temperature is out of range.

    Example:
        >>> import torch
        >>> JensenShannon()(torch.zeros(1, 2), torch.tensor([[4.0, 0.0]]))
        tensor(0.1804)
    """

    def __init__(self, beta: float = 0.5, temperature: float = 1.0, standardize: bool = False) -> None:
        super().__init__()
        check_share("beta", beta)
        check_temperature(temperature)
        self.beta = beta
        self.temperature = temperature
        self.standardize = standardize

    def needs(self) -> Needs:
        """The teacher's logits."""
        return Needs(teacher=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"jensen-shannon": scalar}`."""
        return {"jensen-shannon": self.on_tensors(*both_logits("jensen-shannon", student, teacher), batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for student and teacher logits of shape `(b, classes)`."""
        check_alike(student, other)
        return weighted_mean(jensen_shannon_rows(student, other, self.beta, self.temperature, self.standardize), weight)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
