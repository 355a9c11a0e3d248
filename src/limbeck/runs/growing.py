"""Teachers that grow with the student: how each training gets one of its own, and what must hold for it."""

from dataclasses import dataclass

from limbeck.core.identity import fingerprint, key_hash
from limbeck.errors import RecipeError
from limbeck.objectives import WeightedSum
from limbeck.recipe.model import Recipe
from limbeck.runs.arms import Arm, in_words
from limbeck.runs.build import Blueprint
from limbeck.training.growing import Growing
from limbeck.training.peers import Peers
from limbeck.training.self_teacher import SelfTeacher


@dataclass(frozen=True, slots=True)
class Growth:
    """How a teacher grows beside each student.

    Attributes:
        peers: students that learn together, the one that is kept among them, at least 2.
        ema: decay of the student's moving average; one of both is `None`.
    """

    peers: int | None = None
    ema: float | None = None

    def beside(self, blueprint: Blueprint, seed: int) -> Growing:
        """A fresh one for one training.

        Args:
            blueprint: how the student is made, and so its peers.
            seed: of the student; each peer begins with weights of its own, fixed by the student's seed and its number.
        """
        if self.ema is not None:
            return SelfTeacher(self.ema)
        numbers = range(2, (self.peers or 2) + 1)
        return Peers([blueprint.prepared(key_hash(f"peer {number} {seed}") % 2**32) for number in numbers])

    def fingerprint(self) -> str:
        """Of its answers: given the training, nothing else decides them."""
        return fingerprint({"peers": self.peers} if self.ema is None else {"ema": self.ema})

    def __str__(self) -> str:
        """Who it is, for people.

        Example:
            >>> str(Growth(peers=3)), str(Growth(ema=0.99))
            ('2 peers that learn beside the student', "the moving average of the student's own weights (decay 0.99)")
        """
        if self.ema is not None:
            return f"the moving average of the student's own weights (decay {self.ema:g})"
        others = (self.peers or 2) - 1
        return f"{others} peer{'s that learn' if others > 1 else ' that learns'} beside the student"

    @property
    def called(self) -> dict[str, str]:
        """What verdicts call the student and its baseline, neither of which has a teacher."""
        student = "the student that learned from its own average"
        if self.ema is None:
            others = (self.peers or 2) - 1
            student = f"the student that learned with {others} peer{'s' if others > 1 else ''}"
        return {"student": student, "baseline": "the same student alone"}

    @property
    def note(self) -> str:
        """What it is and costs, for the reader."""
        if self.ema is not None:
            return (
                f"There is no teacher: the student listens to {self}. A step costs one forward pass more than without "
                "it, and the memory of one more set of weights. The average is not what ships."
            )
        return (
            f"There is no teacher: {self.peers} students learn together, each from the labels and from the others' "
            f"answers, so a step costs {self.peers} times one student's, in time and in memory. The first one is the "
            "student, fixed beforehand; the others are thrown away."
        )


def growth_of(recipe: Recipe) -> Growth | None:
    """The recipe's; `None`: its teacher is there before the student begins."""
    teacher = recipe.teacher
    return Growth(teacher.peers, teacher.ema) if teacher.grows else None


def check_growth(recipe: Recipe, arm: Arm, student: Blueprint, *, pupil: bool = True) -> None:
    """Refuses what a teacher that grows cannot teach; nothing where the teacher is another.

    Args:
        recipe: whose `teacher` section says how it grows.
        arm: the student's, with its objective.
        student: its blueprint.
        pupil: whether a student is trained; else somebody wants labels written down.

    Raises:
        RecipeError: the objective reads more than answers, or hears no labels; or peers would all begin alike.
    """
    growth = growth_of(recipe)
    if growth is None:
        return
    if not pupil:
        raise RecipeError(f"teacher: there is none to label with, but {growth}; name one (teacher.train, teacher.from)")
    needs = arm.needs()
    if needs.insides:
        raise RecipeError(
            f"objective: it reads activations or input gradients, and {growth} gives answers only; use an objective on "
            "the answers (soft-targets, dkd, dist, ...)"
        )
    if not needs.teacher:
        raise RecipeError(f"objective: it listens to nobody; add soft-targets, or leave teacher.{_key(growth)} out")
    for settings in arm.candidates:
        if not _has_labels(arm.objective(settings)):
            which = f" ({in_words(settings)})" if settings else ""
            raise RecipeError(
                f"objective: it has no term on the labels{which}, and {growth} knows nothing at first: without labels "
                "they would agree on anything; add {method: hard-labels}"
            )
    if growth.peers is not None and not student.reseeds:
        raise RecipeError(
            "teacher.peers: the student was given as a module, so all peers would begin with the same weights and have "
            "nothing to tell one another; pass a function that makes a fresh student"
        )


def _has_labels(objective: WeightedSum) -> bool:
    """Whether some part learns from the labels, whatever the teacher says."""
    parts = [part.needs() for schedule, part in objective.weighted_parts() if schedule.at(0.0) or schedule.at(0.999)]
    return any(needs.labels and not needs.teacher for needs in parts)


def _key(growth: Growth) -> str:
    return "peers" if growth.ema is None else "ema"
