"""`WeightedSum`: what training minimises, one or several objectives with their weights."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import RecipeError
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.schedule import Constant, Schedule, as_schedule


class WeightedSum(nn.Module):
    """Objectives with weights, in the order given; `objective_a * 0.9 + objective_b * 0.1` makes one.

    Args:
        parts: (weight or schedule, objective) pairs.

    Raises:
        RecipeError: there are no parts, or all weights are zero throughout.

    Example:
        >>> from limbeck.objectives import HardLabels, SoftTargets
        >>> print(0.5 * SoftTargets(temperature=1) + HardLabels(0.1))
        0.5 * SoftTargets(temperature=1) + 1 * HardLabels(label_smoothing=0.1)
    """

    def __init__(self, parts: Sequence[tuple[float | Schedule, Objective]]) -> None:
        super().__init__()
        if not parts:
            raise RecipeError("objective: nothing to learn from; name at least one method")
        self.schedules = [as_schedule(weight) for weight, _ in parts]
        self.parts = nn.ModuleList(objective for _, objective in parts)
        if all(isinstance(schedule, Constant) and schedule.value == 0 for schedule in self.schedules):
            raise RecipeError("objective: every weight is 0, so there is nothing to learn from")

    @property
    def couples_batch(self) -> bool:
        """Whether any part depends on which examples share a batch."""
        return any(part.couples_batch for part in self._objectives())

    def needs(self) -> Needs:
        """Everything that any part needs."""
        needs = [part.needs() for part in self._objectives()]
        return Needs(
            teacher=any(need.teacher for need in needs),
            labels=any(need.labels for need in needs),
            student_taps=tuple(dict.fromkeys(tap for need in needs for tap in need.student_taps)),
            teacher_taps=tuple(dict.fromkeys(tap for need in needs for tap in need.teacher_taps)),
        )

    def needs_teacher(self, progress: float) -> bool:
        """Whether a part that listens to the teacher has a weight above 0 at this point of training."""
        pairs = zip(self.schedules, self._objectives(), strict=True)
        return any(schedule.at(progress) > 0 and part.needs().teacher for schedule, part in pairs)

    def forward(
        self, student: Signals, teacher: Signals | None, batch: Batch, progress: float = 0.0
    ) -> Mapping[str, Tensor]:
        """Weighted scalars by term name; their sum is the loss. Parts whose weight is 0 now are not computed.

        Args:
            student: what the student says.
            teacher: what the teacher says, or `None` where `needs_teacher` is false.
            batch: the batch both were asked about.
            progress: share of training done, 0 <= progress <= 1.
        """
        terms: dict[str, Tensor] = {}
        for schedule, part in zip(self.schedules, self._objectives(), strict=True):
            weight = schedule.at(progress)
            if weight == 0:
                continue
            for name, value in part.terms(student, teacher, batch).items():
                terms[_free(name, terms)] = weight * value if weight != 1 else value
        return terms

    def _objectives(self) -> list[Objective]:
        return [part for part in self.parts if isinstance(part, Objective)]

    def __mul__(self, factor: float) -> "WeightedSum":
        scaled = [(s.scaled(factor), part) for s, part in zip(self.schedules, self._objectives(), strict=True)]
        return WeightedSum(scaled)

    __rmul__ = __mul__

    def __add__(self, other: "Objective | WeightedSum") -> "WeightedSum":
        more = as_sum(other)
        return WeightedSum(
            [
                *zip(self.schedules, self._objectives(), strict=True),
                *zip(more.schedules, more._objectives(), strict=True),
            ]
        )

    __radd__ = __add__

    def __str__(self) -> str:
        pairs = zip(self.schedules, self._objectives(), strict=True)
        return " + ".join(f"{schedule} * {part}" for schedule, part in pairs)


def as_sum(objective: Objective | WeightedSum) -> WeightedSum:
    """A single objective is a sum of one part with weight 1."""
    return objective if isinstance(objective, WeightedSum) else WeightedSum([(1.0, objective)])


def _free(name: str, taken: Mapping[str, Tensor]) -> str:
    """`soft-targets`, then `soft-targets-2`, ... so that two parts of one method are logged apart."""
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
