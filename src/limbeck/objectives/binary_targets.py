r"""Binary soft targets: the teacher's probability of each label on its own, for binary and multi-label tasks."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import both_logits
from limbeck.objectives.ranges import check_choice, check_temperature
from limbeck.objectives.reduce import full_precision, weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="binary-targets",
    summary="The student matches the teacher's yes-or-no probability of every label, softened by a temperature.",
    needs="teacher logits before a sigmoid; binary (one logit) or multilabel (one a label); no labels",
    cost="two sigmoids a label and side, batch x labels",
    memory="batch x labels numbers a side",
    variants="scale: sum over labels, mean of them",
    helps="few labels and much unlabelled data; missing labels, which the teacher fills in",
    hurts="many labels that are almost never true: most of the value is agreement on no; scale: mean then makes it "
    "weaker still",
    paper="Hinton, Vinyals, Dean 2015, arXiv 1503.02531, per label (as in Yang et al. 2023, Multi-Label Knowledge "
    "Distillation, arXiv 2308.06453, equation 2)",
    suggested="temperature 1 to 2",
)


def binary_targets_rows(
    student_logits: Float[Tensor, "b labels"],
    teacher_logits: Float[Tensor, "b labels"],
    temperature: float,
    scale: Literal["sum", "mean"] = "sum",
) -> Float[Tensor, " b"]:
    r"""`T^2 sum_c KL(sigmoid(t_c / T) || sigmoid(s_c / T))` of each row, in nats times `T^2`.

    Every label is a distribution of its own, of yes and no. With one label it is soft targets over the two classes
    whose logits are `(0, z)`.

    Args:
        student_logits: scores before the sigmoid.
        teacher_logits: scores before the sigmoid; no gradient flows into them.
        temperature: T > 0.
        scale: "sum" over labels, or their "mean" (as `binary_cross_entropy_with_logits` takes it).

    Example:
        >>> import torch
        >>> binary_targets_rows(torch.zeros(1, 2), torch.tensor([[4.0, -4.0]]), 1.0)
        tensor([1.2061])
    """
    student = full_precision(student_logits) / temperature
    teacher = full_precision(teacher_logits.detach()) / temperature
    yes = teacher.sigmoid() * (F.logsigmoid(teacher) - F.logsigmoid(student))
    no = (-teacher).sigmoid() * (F.logsigmoid(-teacher) - F.logsigmoid(-student))
    parts = yes + no
    return temperature**2 * (parts.sum(dim=1) if scale == "sum" else parts.mean(dim=1))


class BinaryTargets(Objective):
    """Per-label binary KL times `T^2`, summed over labels, mean over the batch's weight.

    Args:
        temperature: T > 0; 1 leaves the probabilities as they are.
        scale: "sum" over labels, or their "mean".

    Raises:
        RecipeError: the temperature is not positive and finite, or `scale` is another word.

    Example:
        >>> import torch
        >>> BinaryTargets()(torch.zeros(1, 1), torch.tensor([[4.0]]))
        tensor(0.6031)
    """

    def __init__(self, temperature: float = 1.0, scale: Literal["sum", "mean"] = "sum") -> None:
        super().__init__()
        check_temperature(temperature)
        check_choice("scale", scale, ("sum", "mean"))
        self.temperature = temperature
        self.scale: Literal["sum", "mean"] = scale

    def needs(self) -> Needs:
        """The teacher's logits."""
        return Needs(teacher=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"binary-targets": scalar}`."""
        return {"binary-targets": self.on_tensors(*both_logits("binary-targets", student, teacher), batch.weight)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for student and teacher logits of shape `(b, labels)`."""
        check_alike(student, other)
        return weighted_mean(binary_targets_rows(student, other, self.temperature, self.scale), weight)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
