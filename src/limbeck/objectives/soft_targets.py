r"""Soft targets: imitate the teacher's class probabilities at a temperature (Hinton, Vinyals, Dean 2015)."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError, RecipeError
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.ranges import check_temperature
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.sparse import soft_targets_sampled_rows, soft_targets_top_rows
from limbeck.objectives.tempered import divergence, log_probabilities
from limbeck.objectives.text import number

CARD = MethodCard(
    name="soft-targets",
    summary="The student matches the teacher's class probabilities, softened by a temperature.",
    needs="teacher logits; multiclass; no labels, so unlabelled examples serve",
    cost="two softmaxes, batch x classes; the unit in which others are measured",
    memory="batch x classes numbers a side",
    variants="classes (a subset); standardize (logits of mean 0 and deviation 1 first)",
    helps="few labels and much unlabelled data; a teacher well above the student; augmentation seen by both",
    hurts="a small student at a high temperature (a fixed T=4 lost to no teacher twice with 3K and 11K parameters "
    "on Fashion-MNIST); a teacher that is nearly one-hot on its own training data adds little over its hard labels",
    paper="Hinton, Vinyals, Dean 2015, arXiv 1503.02531",
    suggested="temperature: auto; else 1 to 2 for small students, 4 and more where a layer has hundreds of units",
)


def soft_targets_rows(
    student_logits: Float[Tensor, "b classes"],
    teacher_logits: Float[Tensor, "b classes"],
    temperature: float,
    standardize: bool = False,
) -> Float[Tensor, " b"]:
    r"""`T^2 KL(softmax(t / T) || softmax(s / T))` of each row, in nats times `T^2`, summed over classes.

    The square keeps the gradient's size independent of the temperature (section 2.1 of the paper). As T grows, the
    value tends to half the squared distance of the centred logits, divided by the number of classes; as T falls to 0,
    `value / T` tends to the margin the student gives away at the teacher's top class. It is 0 exactly where both agree.

    Args:
        student_logits: scores before the softmax.
        teacher_logits: scores before the softmax; no gradient flows into them.
        temperature: T > 0.
        standardize: whether both sides' logits are standardised first, see `standardized`.

    Returns:
        One non-negative value a row, float32 for half-precision input.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[1.0, 2.0, 3.0]])
        >>> soft_targets_rows(logits, logits, 4.0)
        tensor([0.])
    """
    log_student = log_probabilities(student_logits, temperature, standardize)
    log_teacher = log_probabilities(teacher_logits.detach(), temperature, standardize)
    return temperature**2 * divergence(log_teacher, log_student)


class SoftTargets(Objective):
    """Hinton's loss, `T^2 KL(teacher_T || student_T)`, summed over classes, mean over the batch's weight.

    Args:
        temperature: T > 0; 1 leaves the probabilities as they are, large values flatten them.
        classes: indices of the classes to compare; others are cut from the logits *before* the softmax.
        standardize: whether both sides' logits are standardised first (Sun et al. 2024): the student then matches
            their order and relative distances, not their range, and a temperature is another number (paper: 2 to 4).

    Raises:
        RecipeError: the temperature is not positive and finite, or `classes` names fewer than two, one twice, or a
            negative number.

    Example:
        >>> import torch
        >>> student, teacher = torch.zeros(2, 3), torch.tensor([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
        >>> round(SoftTargets(temperature=2)(student, teacher).item(), 4)
        1.7322
    """

    def __init__(
        self, temperature: float = 2.0, classes: Sequence[int] | None = None, standardize: bool = False
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        if classes is not None and len(set(classes)) < 2:
            raise RecipeError(f"classes: {list(classes)} names fewer than two classes, there is nothing to compare")
        if classes is not None and (len(set(classes)) < len(classes) or min(classes) < 0):
            raise RecipeError(f"classes: {list(classes)} must name each class once, by its number from 0")
        self.temperature = temperature
        self.classes = None if classes is None else tuple(classes)
        self.standardize = standardize

    def needs(self) -> Needs:
        """The teacher's logits."""
        return Needs(teacher=True)

    def check_outputs(self, outputs: int) -> None:
        """All of `classes` are among the outputs.

        Raises:
            ModelError: one is beyond.
        """
        if self.classes is not None and max(self.classes) >= outputs:
            raise ModelError(f"classes: {list(self.classes)} reaches beyond the {outputs} classes there are")

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"soft-targets": scalar}`, from all of the teacher's logits, its largest ones, or drawn classes."""
        if student.logits is None or teacher is None:
            raise ModelError("soft-targets needs the student's logits and a teacher's answer; give a teacher")
        if teacher.logits is not None:
            return {"soft-targets": self.on_tensors(student.logits, teacher.logits, batch.weight)}
        rows = self._sparse_rows(student.logits, teacher)
        return {"soft-targets": weighted_mean(rows, batch.weight)}

    def _sparse_rows(self, student: Tensor, teacher: Signals) -> Tensor:
        if self.classes is not None or self.standardize:
            what = "of standardised logits" if self.standardize else "on a subset of classes"
            raise ModelError(f"soft-targets {what} needs all logits; write the guide with signal: logits")
        if teacher.top is not None:
            if self.temperature not in teacher.top.temperatures:
                raise self._not_written(teacher.top.temperatures)
            tail = teacher.top.tail[:, teacher.top.temperatures.index(self.temperature)]
            return soft_targets_top_rows(student, teacher.top.index, teacher.top.logits, tail, self.temperature)
        if teacher.sampled is not None:
            if self.temperature != teacher.sampled.temperature:
                raise self._not_written((teacher.sampled.temperature,))
            drawn = teacher.sampled
            return soft_targets_sampled_rows(student, drawn.index, drawn.entropy, self.temperature)
        raise ModelError("soft-targets needs the teacher's logits, its top-k or sampled classes; it gave none of them")

    def _not_written(self, temperatures: tuple[float, ...]) -> ModelError:
        known = ", ".join(f"{t:g}" for t in temperatures)
        return ModelError(
            f"soft-targets at temperature {self.temperature:g}, but the guide was written for {known}; a sparse guide "
            "cannot be re-tempered: choose one of those, or write it again"
        )

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for student and teacher logits of shape `(b, classes)`."""
        teacher = other
        check_alike(student, teacher)
        if self.classes is not None:
            self.check_outputs(student.shape[1])
            student, teacher = student[:, self.classes], teacher[:, self.classes]
        if weight is None:  # the mean over rows, in fewer steps
            log_q, log_p = (
                log_probabilities(side, self.temperature, self.standardize) for side in (student, teacher.detach())
            )
            return self.temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
        return weighted_mean(soft_targets_rows(student, teacher, self.temperature, self.standardize), weight)

    def extra_repr(self) -> str:
        """Arguments as they were given."""
        subset = "" if self.classes is None else f", classes={list(self.classes)}"
        standardize = ", standardize=True" if self.standardize else ""
        return f"temperature={number(self.temperature)}{subset}{standardize}"
