r"""Dark knowledge with permuted predictions: what the teacher says of other classes, dealt out at random."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.objectives.card import MethodCard
from limbeck.objectives.draws import uniform
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import both_logits
from limbeck.objectives.ranges import check_temperature
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.soft_targets import soft_targets_rows
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="dkpp",
    summary="Soft targets whose probabilities, except the largest, are permuted among the other classes.",
    needs="teacher logits; multiclass with three classes or more; no labels",
    cost="as soft-targets, and a sort of as many random numbers, batch x classes x log(classes)",
    memory="batch x classes numbers a side, and as many random numbers",
    variants="standardize (logits of mean 0 and deviation 1 first)",
    helps="as a control: what soft targets gain beyond it comes from which other classes the teacher thinks of",
    hurts="taken for a method: a student learns wrong likenesses, the worse the softer the teacher is",
    paper="Furlanello et al. 2018, Born-Again Neural Networks, arXiv 1805.04770, section 3.2, equation 10",
    suggested="the temperature of the soft-targets it is compared with (paper: 1)",
)


def permuted(
    teacher_logits: Float[Tensor, "b classes"], ids: Int[Tensor, " b"], views: Int[Tensor, " b"], seed: int
) -> Float[Tensor, "b classes"]:
    """Each row's largest logit where it was, the others in an order drawn from seed, example and view alone.

    Every order is equally likely, the one they had among them. Of several largest, the first stays.

    Example:
        >>> row, one = torch.tensor([[9.0, 1.0, 2.0, 3.0]]), torch.tensor([1])
        >>> permuted(row, one, one, seed=0)
        tensor([[9., 1., 3., 2.]])
    """
    top = teacher_logits.argmax(dim=1, keepdim=True)
    place = torch.arange(teacher_logits.shape[1] - 1, device=teacher_logits.device)[None]
    others = place + (place >= top)
    order = uniform(ids, views, others.shape[1], seed).argsort(dim=1, stable=True)
    return teacher_logits.scatter(1, others, teacher_logits.gather(1, others.gather(1, order)))


class DKPP(Objective):
    """`T^2 KL(permuted teacher_T || student_T)`, summed over classes, mean over the batch's weight.

    The paper's cross-entropy less the teacher's entropy, which no permutation changes: the gradient is the same.

    Args:
        temperature: T > 0; the paper's is 1.
        seed: of the permutations; apart from the training seed, so that all students meet the same.
        standardize: whether both sides' logits are standardised first (Sun et al. 2024), as a control of soft targets
            that are.

    Raises:
        RecipeError: the temperature is not positive and finite.

    Example:
        >>> DKPP(temperature=2)
        DKPP(temperature=2)
    """

    def __init__(self, temperature: float = 1.0, seed: int = 0, standardize: bool = False) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature, self.seed, self.standardize = temperature, seed, standardize

    def needs(self) -> Needs:
        """The teacher's logits."""
        return Needs(teacher=True)

    def check_outputs(self, outputs: int) -> None:
        """At least three classes.

        Raises:
            ModelError: there are fewer.
        """
        if outputs < 3:
            raise ModelError(
                f"dkpp needs at least three classes, there are {outputs}: one class beside the largest has nowhere to "
                "go, and the rest is soft-targets; use that"
            )

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"dkpp": scalar}`."""
        given, other = both_logits(CARD.name, student, teacher)
        check_alike(given, other)
        self.check_outputs(given.shape[1])
        dealt = permuted(other.detach(), batch.ids, batch.views, self.seed)
        rows = soft_targets_rows(given, dealt, self.temperature, self.standardize)
        return {CARD.name: weighted_mean(rows, batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """Refused: two tensors do not say which examples they are about.

        Raises:
            TypeError: always.
        """
        del student, other, weight
        raise TypeError("DKPP draws by example and view: call it on signals and their batch")

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
