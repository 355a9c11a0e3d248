"""OFA: a student's layer, projected to logits, is taught like an exit of its own, whatever architectures meet."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.bridges import Bridge, bridge
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, Shapes
from limbeck.objectives.outputs import labels
from limbeck.objectives.positions import real_positions
from limbeck.objectives.ranges import check_at_least, check_choice, check_positive, check_temperature
from limbeck.objectives.reading import built, read, shape_at
from limbeck.objectives.reduce import weighted_mean
from limbeck.objectives.shapes import check_alike
from limbeck.objectives.tempered import log_probabilities
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="ofa",
    summary="A student's layer, pooled and projected to logits, learns from teacher and label.",
    needs="one tap of the student, teacher logits, labels (unlabelled rows are left out); multiclass",
    cost="a linear map of the pooled layer to the classes, and as soft-targets",
    memory="the map, dropped afterwards; batch x classes numbers a side",
    variants="variant: paper, code (without the label's own cross-entropy, the teacher's others to the power gamma); "
    "standardize (logits of mean 0 and deviation 1 first)",
    helps="unlike architectures (CNN and transformer), whose layers cannot be compared; each stage of the student",
    hurts="early layers of small students, which lose what later ones need; noisy labels",
    paper="Hao, Guo, Han, Tang, Hu, Wang, Xu 2023, One-for-All: Bridge the Gap Between Heterogeneous Architectures, "
    "NeurIPS, arXiv 2310.19444, equation 6",
    suggested="gamma 1 to 1.5; each of the student's four stages, weight 1; temperature 1",
)


def ofa_rows(
    student_logits: Float[Tensor, "b classes"],
    teacher_logits: Float[Tensor, "b classes"],
    target: Int[Tensor, " b"],
    *,
    gamma: float = 1.0,
    temperature: float = 1.0,
    variant: str = "paper",
    standardize: bool = False,
) -> Float[Tensor, " b"]:
    """`-(1 + p_y)^gamma log q_y - sum_{c != y} p_c log q_c` of each row, nats; p the teacher, q the student.

    At gamma 1 it is the cross-entropy with the label plus that with the teacher. Larger gamma stresses examples of
    which the teacher is sure.

    Args:
        student_logits: of the projected layer.
        teacher_logits: scores before the softmax.
        target: class indices y.
        gamma: above 0.
        temperature: T > 0 of both softmaxes.
        variant: "paper", or "code" as the authors': `-((1 + p_y)^gamma - 1) log q_y - sum_{c != y} p_c^gamma log q_c`,
            which leaves the label's own cross-entropy to another term.
        standardize: whether both sides' logits are standardised first, see `standardized`.

    Example:
        >>> logits, labels = torch.zeros(1, 2), torch.tensor([0])
        >>> ofa_rows(logits, logits, labels), ofa_rows(logits, logits, labels, variant="code")
        (tensor([1.3863]), tensor([0.6931]))
    """
    log_q = log_probabilities(student_logits, temperature, standardize)
    p = log_probabilities(teacher_logits, temperature, standardize).exp()
    true = F.one_hot(target, p.shape[1]).to(p.dtype)
    factors = (p + true) ** gamma - true if variant == "code" else torch.where(true > 0, (1 + p) ** gamma, p)
    return -(factors * log_q).sum(dim=1)


class OFA(Objective):
    """One exit taught by teacher and label, mean over the weight of the *labelled* rows (0 where there are none).

    The paper's projections hold several convolutions or attention blocks; here the layer is pooled and mapped linearly.

    Args:
        student: path of the student's tap.
        classes: how many the teacher has.
        gamma: above 0; see `ofa_rows`.
        temperature: T > 0.
        variant: "paper" or "code".
        standardize: whether both sides' logits are standardised first (Sun et al. 2024); the label is then taught on
            the student's standardised logits too.

    Raises:
        RecipeError: an argument is out of range.

    Example:
        >>> OFA("blocks.3", classes=10)
        OFA(student='blocks.3', classes=10)
    """

    def __init__(
        self,
        student: str,
        classes: int,
        gamma: float = 1.0,
        temperature: float = 1.0,
        variant: Literal["paper", "code"] = "paper",
        *,
        standardize: bool = False,
    ) -> None:
        super().__init__()
        check_at_least("classes", classes, 2)
        check_positive("gamma", gamma)
        check_temperature(temperature)
        check_choice("variant", variant, ("paper", "code"))
        self.student, self.classes = student, classes
        self.gamma, self.temperature, self.variant = gamma, temperature, variant
        self.standardize = standardize
        self.bridge: Bridge | None = None

    def needs(self) -> Needs:
        """One tap of the student, the teacher's logits, and labels."""
        return Needs(labels=True, student_taps=(self.student,))

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Makes the projection."""
        del teacher
        shape = shape_at(student, self.student, "student", CARD.name)
        self.bridge = bridge(shape, (self.classes,), learned=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"ofa": scalar}`; unlabelled rows are left out."""
        given = read(student, self.student, "student", CARD.name)
        logits = read(teacher, None, "teacher", CARD.name).detach()
        mine = built(self.bridge, CARD.name)(given, real_positions(given, batch.mask, CARD.name))
        target, labelled = labels(CARD.name, batch)
        check_alike(mine, logits)
        rows = ofa_rows(
            mine,
            logits,
            target.long(),
            gamma=self.gamma,
            temperature=self.temperature,
            variant=self.variant,
            standardize=self.standardize,
        )
        return {CARD.name: weighted_mean(rows, batch.weight, labelled)}

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
