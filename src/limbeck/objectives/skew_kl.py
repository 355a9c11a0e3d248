r"""Skew KL: one side is replaced by a mixture with a little of the other, so nothing explodes (DistiLLM)."""

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
    name="skew-kl",
    summary="Forward or reverse KL against a mixture that holds a share alpha of the other side: bounded gradients.",
    needs="teacher logits; multiclass; no labels",
    cost="as soft-targets, and a logarithm of the mixture a class",
    memory="batch x classes numbers for each side and the mixture",
    variants="reverse (student and teacher change places); standardize (logits of mean 0 and deviation 1 first)",
    helps="large vocabularies, and a student that starts far from the teacher: no row costs more than -ln alpha",
    hurts="a large alpha hides what is left to learn: the closer to 1, the smaller value and gradient",
    paper="Ko et al. 2024, DistiLLM, arXiv 2402.03898, section 3.1",
    suggested="alpha 0.1; reverse for generation",
)


def skew_kl_rows(
    student_logits: Float[Tensor, "b classes"],
    teacher_logits: Float[Tensor, "b classes"],
    alpha: float,
    temperature: float,
    *,
    reverse: bool = False,
    standardize: bool = False,
) -> Float[Tensor, " b"]:
    r"""`T^2 KL(p || alpha p + (1 - alpha) q)` of each row; reversed, p and q change places.

    `p` is what the teacher says, `q` what the student says, both at temperature T. It is
    never more than `-T^2 ln(alpha)`. At alpha 0 it is the forward or the reverse KL.

    Args:
        student_logits: scores before the softmax.
        teacher_logits: scores before the softmax; no gradient flows into them.
        alpha: share of the first side in the mixture, 0 <= alpha < 1.
        temperature: T > 0.
        reverse: whether it is `T^2 KL(q || (1 - alpha) p + alpha q)`.
        standardize: whether both sides' logits are standardised first, see `standardized`.

    Example:
        >>> import torch
        >>> skew_kl_rows(torch.tensor([[0.0, 99.0]]), torch.tensor([[99.0, 0.0]]), 0.5, 1.0)
        tensor([0.6931])
    """
    log_q = log_probabilities(student_logits, temperature, standardize)
    log_p = log_probabilities(teacher_logits.detach(), temperature, standardize)
    first, second = (log_q, log_p) if reverse else (log_p, log_q)
    mixed = log_mixture(first, second, alpha) if alpha > 0 else second
    return temperature**2 * divergence(first, mixed)


class SkewKL(Objective):
    """Skewed forward or reverse KL times `T^2`, summed over classes, mean over the batch's weight.

    Args:
        alpha: share of the first side in the mixture it is compared with, 0 <= alpha < 1; 0 is the plain divergence.
        reverse: the student's distribution stands first.
        temperature: T > 0; 1 leaves the probabilities as they are (the paper has no other).
        standardize: whether both sides' logits are standardised first (Sun et al. 2024).

    Raises:
        RecipeError: alpha or the temperature is out of range.

    Example:
        >>> import torch
        >>> SkewKL(alpha=0.1)(torch.zeros(1, 2), torch.tensor([[4.0, 0.0]]))
        tensor(0.5145)
    """

    def __init__(
        self, alpha: float = 0.1, reverse: bool = False, temperature: float = 1.0, standardize: bool = False
    ) -> None:
        super().__init__()
        check_share("alpha", alpha, zero=True)
        check_temperature(temperature)
        self.alpha = alpha
        self.reverse = reverse
        self.temperature = temperature
        self.standardize = standardize

    def needs(self) -> Needs:
        """The teacher's logits."""
        return Needs(teacher=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"skew-kl": scalar}`."""
        return {"skew-kl": self.on_tensors(*both_logits("skew-kl", student, teacher), batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for student and teacher logits of shape `(b, classes)`."""
        check_alike(student, other)
        rows = skew_kl_rows(
            student, other, self.alpha, self.temperature, reverse=self.reverse, standardize=self.standardize
        )
        return weighted_mean(rows, weight)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
