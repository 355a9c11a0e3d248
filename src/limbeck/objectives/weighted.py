"""`WeightedSum`: what training minimises, one or several objectives with their weights."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from limbeck.core.architecture import architecture_fingerprint
from limbeck.core.batch import Batch
from limbeck.core.identity import fingerprint, state_fingerprint
from limbeck.core.needs import Needs, Shapes, union
from limbeck.core.signals import Signals
from limbeck.errors import RecipeError
from limbeck.objectives.objective import Objective
from limbeck.objectives.schedule import Schedule, as_schedule, jump, reciprocal


class WeightedSum(nn.Module):
    """Objectives with weights, in the order given; `objective_a * 0.9 + objective_b * 0.1` makes one.

    Args:
        parts: (weight or schedule, objective) pairs.
        partial: whether more parts are to come, as in the middle of `0 * a + b`; then weights are not checked yet.

    Raises:
        RecipeError: there are no parts, or at some point of training every weight is 0.

    Example:
        >>> from limbeck.objectives import HardLabels, SoftTargets
        >>> print(0.5 * SoftTargets(temperature=1) + HardLabels(0.1))
        0.5 * SoftTargets(temperature=1) + 1 * HardLabels(label_smoothing=0.1)
    """

    def __init__(self, parts: Sequence[tuple[float | Schedule, Objective]], *, partial: bool = False) -> None:
        super().__init__()
        if not parts:
            raise RecipeError("objective: nothing to learn from; name at least one method")
        self.schedules = [as_schedule(weight) for weight, _ in parts]
        self.parts = nn.ModuleList(objective for _, objective in parts)
        self._suffixes = list(_suffixes(self._objectives()))
        self.scales: Tensor | None
        self.register_buffer("scales", None)
        if not partial:
            self.check()

    def check(self) -> None:
        """Refuses a sum that says nothing for a while.

        Raises:
            RecipeError: at some point of training every weight is 0.
        """
        idle = next((p for p in _pieces(self.schedules) if not any(s.at(p) > 0 for s in self.schedules)), None)
        if idle is not None:
            raise RecipeError(
                f"objective: {self._when(idle)}every weight is 0, so there is nothing to learn from; keep one above 0 "
                "throughout"
            )

    def _when(self, idle: float) -> str:
        """Since when every weight is 0, for the error; nothing where it is from the beginning on."""
        if idle:
            return f"from {idle:.0%} of training on "
        only = any(schedule.at(_SECOND) > 0 for schedule in self.schedules)
        return "at the first step, from which weights rise, " if only else ""

    @property
    def couples_batch(self) -> bool:
        """Whether any part depends on which examples share a batch."""
        return any(part.couples_batch for part in self._objectives())

    def needs(self) -> Needs:
        """Everything that any part needs."""
        return union(part.needs() for part in self._objectives())

    def needs_teacher(self, progress: float) -> bool:
        """Whether a part that listens to the teacher has a weight above 0 at this point of training."""
        return any(schedule.at(progress) > 0 and part.needs().teacher for schedule, part in self.weighted_parts())

    def build(self, student: Shapes, teacher: Shapes) -> None:
        """Every part makes its bridges and memories; see `Objective.build`."""
        for part in self._objectives():
            part.build(student, teacher)

    def check_outputs(self, outputs: int) -> None:
        """Every part refuses a number of outputs that it cannot work with; see `Objective.check_outputs`."""
        for part in self._objectives():
            part.check_outputs(outputs)

    def masses(self, batch: Batch) -> list[float]:
        """How much of a batch each part is a mean over; see `Objective.mass`."""
        return [part.mass(batch) for part in self._objectives()]

    def forward(
        self,
        student: Signals,
        teacher: Signals | None,
        batch: Batch,
        progress: float = 0.0,
        shares: Sequence[float] | None = None,
    ) -> Mapping[str, Tensor]:
        """Weighted scalars by term name; their sum is the loss. Parts whose weight is 0 now are not computed.

        Args:
            student: what the student says.
            teacher: what the teacher says, or `None` where `needs_teacher` is false.
            batch: the batch both were asked about.
            progress: share of training done, 0 <= progress < 1.
            shares: a factor for each part, where the batch is only a piece of a larger one: the piece's share of the
                part's mass; then the pieces' losses, and their gradients, add up to the larger batch's.

        Raises:
            RecipeError: every weight is 0 here.
        """
        terms: dict[str, Tensor] = {}
        pieces = [1.0] * len(self.schedules) if shares is None else shares
        for place, (schedule, part, suffix, piece) in enumerate(
            zip(self.schedules, self._objectives(), self._suffixes, pieces, strict=True)
        ):
            weight = schedule.at(progress)
            if weight == 0:
                continue
            weight *= piece
            scale = None if self.scales is None else self.scales[place]
            for name, plain in part.terms(student, teacher, batch).items():
                value = plain if scale is None else scale * plain
                terms[_free(f"{name}{suffix}", terms)] = weight * value if weight != 1 else value
        if not terms:
            self.check()
        return terms

    def start_balancing(self) -> None:
        """Gives each part a scale, 1 until `balance` is called; scales are saved with the sum."""
        self.scales = torch.ones(len(self.parts))

    def part_values(
        self, student: Signals, teacher: Signals | None, batch: Batch, progress: float
    ) -> list[Tensor | None]:
        """What each part says, without its weight; `None` where that is 0 now. Memories do not remember the batch."""
        values: list[Tensor | None] = []
        for schedule, part in self.weighted_parts():
            training, heard = part.training, schedule.at(progress) > 0
            part.eval()
            terms = part.terms(student, teacher, batch).values() if heard else ()
            part.train(training)
            values.append(torch.stack([term.float() for term in terms]).sum() if terms else None)
        return values

    def balance(self, norms: Sequence[float | None]) -> None:
        """Scales the parts so that weights are shares of the gradient: each is made as strong as the first.

        Args:
            norms: of each part's gradient; where `None` or 0, the part keeps its scale.
        """
        assert self.scales is not None, "start_balancing comes first"
        first = next((norm for norm in norms if norm), None)
        for place, norm in enumerate(norms):
            if first is not None and norm:
                self.scales[place] = first / norm

    def weighted_parts(self) -> list[tuple[Schedule, Objective]]:
        """Each part with its weight over training, in order."""
        return list(zip(self.schedules, self._objectives(), strict=True))

    def _objectives(self) -> list[Objective]:
        return [part for part in self.parts if isinstance(part, Objective)]

    def __mul__(self, factor: float) -> "WeightedSum":
        scaled = [(schedule.scaled(factor), part) for schedule, part in self.weighted_parts()]
        return WeightedSum(scaled, partial=True)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "WeightedSum":
        return self * reciprocal(divisor)

    def __add__(self, other: "Objective | WeightedSum") -> "WeightedSum":
        more = other if isinstance(other, WeightedSum) else other * 1.0
        return WeightedSum([*self.weighted_parts(), *more.weighted_parts()], partial=True)

    def __radd__(self, other: object) -> "WeightedSum":
        return self * 1.0 if other == 0 else NotImplemented  # sum([a, b]) begins with 0

    def __str__(self) -> str:
        return " + ".join(f"{schedule} * {part}" for schedule, part in self.weighted_parts())


def objective_fingerprint(objective: WeightedSum) -> str:
    """SHA-256 over the formula, and each part's class, settings and state (a part of the user's may print neither)."""
    return fingerprint([str(objective), architecture_fingerprint(objective), state_fingerprint(objective.state_dict())])


def as_sum(objective: Objective | WeightedSum) -> WeightedSum:
    """A single objective is a sum of one part with weight 1.

    Raises:
        RecipeError: at some point of training every weight is 0.
    """
    if not isinstance(objective, WeightedSum):
        return WeightedSum([(1.0, objective)])
    objective.check()
    return objective


_SECOND = 1e-9
"""A point of training after the first step and before any other."""


def _pieces(schedules: Sequence[Schedule]) -> Iterator[float]:
    """Points of training that see every stretch between two jumps of a weight, in order."""
    jumps = sorted({0.0, 1.0, *(at for at in map(jump, schedules) if at is not None)})
    for start, end in pairwise(jumps):
        yield start
        yield (start + end) / 2


def _suffixes(parts: Sequence[Objective]) -> Iterator[str]:
    """Nothing for a method's first part, then -2, -3: the names of terms stay, whichever weights are 0 just now."""
    seen: Counter[type[Objective]] = Counter()
    for part in parts:
        seen[type(part)] += 1
        yield "" if seen[type(part)] == 1 else f"-{seen[type(part)]}"


def _free(name: str, taken: Mapping[str, Tensor]) -> str:
    """`name`, then `name-2`, ... where another method already logs under it."""
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
