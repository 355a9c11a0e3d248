r"""Reverse KL: the student seeks one mode of the teacher instead of covering all (MiniLLM, Gu et al. 2024)."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import both_logits
from limbeck.objectives.ranges import check_temperature
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.tempered import divergence, log_probabilities
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="reverse-kl",
    summary="KL(student || teacher): the student is punished for what the teacher finds unlikely, not for leaving out.",
    needs="teacher logits; multiclass; no labels",
    cost="as soft-targets",
    memory="batch x classes numbers a side",
    variants="standardize (logits of mean 0 and deviation 1 first)",
    helps="many classes and a student too small to cover all of the teacher's distribution (generation, large "
    "vocabularies)",
    hurts="calibration and diversity: the student turns overconfident; its gradient fades where the student puts no "
    "mass, so a class missed early is learned late",
    paper="Gu et al. 2024, MiniLLM, arXiv 2306.08543, equation 1 (there on sequences)",
    suggested="temperature 1; beside hard-labels, or after a start with soft-targets",
)


def reverse_kl_rows(
    student_logits: Float[Tensor, "b classes"],
    teacher_logits: Float[Tensor, "b classes"],
    temperature: float,
    standardize: bool = False,
) -> Float[Tensor, " b"]:
    r"""`T^2 KL(softmax(s / T) || softmax(t / T))` of each row, in nats times `T^2`, summed over classes.

    Args:
        student_logits: scores before the softmax.
        teacher_logits: scores before the softmax; no gradient flows into them.
        temperature: T > 0.
        standardize: whether both sides' logits are standardised first, see `standardized`.

    Example:
        >>> import torch
        >>> reverse_kl_rows(torch.zeros(1, 2), torch.tensor([[4.0, 0.0]]), 1.0)
        tensor([1.3250])
    """
    log_student = log_probabilities(student_logits, temperature, standardize)
    log_teacher = log_probabilities(teacher_logits.detach(), temperature, standardize)
    return temperature**2 * divergence(log_student, log_teacher)


class ReverseKL(Objective):
    """`T^2 KL(student_T || teacher_T)`, summed over classes, mean over the batch's weight.

    As T grows it tends to what soft targets tend to; at equality its second-order behaviour is theirs.

    Args:
        temperature: T > 0; 1 leaves the probabilities as they are.
        standardize: whether both sides' logits are standardised first (Sun et al. 2024).

    Raises:
        RecipeError: the temperature is not positive and finite.

    Example:
        >>> import torch
        >>> ReverseKL()(torch.zeros(1, 2), torch.tensor([[4.0, 0.0]]))
        tensor(1.3250)
    """

    def __init__(self, temperature: float = 1.0, standardize: bool = False) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.standardize = standardize

    def needs(self) -> Needs:
        """The teacher's logits."""
        return Needs(teacher=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"reverse-kl": scalar}`."""
        return {"reverse-kl": self.on_tensors(*both_logits("reverse-kl", student, teacher), batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for student and teacher logits of shape `(b, classes)`."""
        check_alike(student, other)
        return weighted_mean(reverse_kl_rows(student, other, self.temperature, self.standardize), weight)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
