"""What a study will train: arms beside one another, each with the plan it is trained by and the teacher it hears."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from limbeck.errors import RecipeError
from limbeck.runs.arms import Arm
from limbeck.runs.fit import Settings
from limbeck.runs.plan import Plan

TEACHER = "teacher"
"""What a study's only teacher is called."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line or Python code asks of a study, beside its recipe.

    Attributes:
        methods: objectives to compare, each `{"method": name}` with settings of its own beside the name; `None`: all
            that fit.
        shares: of the labels, or of training, each above 0 and at most 1; `None`: the kind's own.
        without: the class that the student never sees.
        teachers: teachers to compare, by name.
        via: chains of assistants: the name of the teacher where each begins, and the assistants' plans, largest first.
        generations: of born-again students; `None`: the kind's own.
    """

    methods: tuple[Mapping[str, Any], ...] | None = None
    shares: tuple[float, ...] | None = None
    without: str | None = None
    teachers: Mapping[str, Plan] | None = None
    via: tuple[tuple[str, tuple[Plan, ...]], ...] = ()
    generations: int | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """One seed of an arm whose seeds differ in more than their weights.

    Attributes:
        plan: data and seed (`from_seed`, one of them) it is trained by.
        arm: as the member's, on this plan's data.
        tutor: which of the design's teachers it listens to; `None`: nobody.
    """

    plan: Plan
    arm: Arm
    tutor: str | None


@dataclass(frozen=True, slots=True)
class Member:
    """One arm of a study.

    Attributes:
        name: unique in the study, short.
        about: how sentences call it: "the student with dkd".
        plan: data, student, steps and budget it is trained by.
        arm: the settings that `after` chose (empty without) -> candidates, objective and examples.
        line: which line of the plot it belongs to.
        at: where on the plot's horizontal axis it stands.
        after: the member whose choice it builds on.
        tutor: which of the design's teachers it listens to; or an earlier member, whose model of the same place among
            the seeds teaches it; `None`: nobody.
        draws: one a seed, where examples or teachers are drawn anew for each; settings are chosen on the first. Empty:
            all seeds share plan and tutor.
    """

    name: str
    about: str
    plan: Plan
    arm: Callable[[Settings], Arm]
    line: str = ""
    at: float | None = None
    after: str | None = None
    tutor: str | None = TEACHER
    draws: tuple[Draw, ...] = ()

    def tutor_of(self, place: int) -> str | None:
        """Whom the seed at that place listens to."""
        return self.draws[place].tutor if self.draws else self.tutor


@dataclass(frozen=True, slots=True)
class Tutor:
    """A teacher of a study.

    Attributes:
        about: how sentences call it.
        plan: by which it is raised, and heard.
        home: teachers of one home are the same ones, whose guides serve all of them; `None`: a home of its own.
    """

    about: str
    plan: Plan
    home: str | None = None


@dataclass(frozen=True, slots=True)
class Design:
    """Everything a study trains.

    Attributes:
        members: in the order in which they are tuned and shown; each after the one it builds on.
        tutors: teachers by name.
        notes: what was left out, and why; what the reader should know.
    """

    members: tuple[Member, ...]
    tutors: Mapping[str, Tutor]
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [member.name for member in self.members]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise RecipeError(f"study: {', '.join(twice)} is named twice; keep one")

    def pupils(self) -> frozenset[str]:
        """Members whose models teach later ones."""
        return frozenset(m.tutor for m in self.members if m.tutor is not None and m.tutor not in self.tutors)


def constant(arm: Arm) -> Callable[[Settings], Arm]:
    """An arm that builds on nobody's choice."""
    return lambda _chosen: arm


def settled(arm: Arm) -> Callable[[Settings], Arm]:
    """An arm with the settings that the member it builds on has chosen."""

    def with_choice(chosen: Settings) -> Arm:
        return replace(arm, candidates=(chosen,)) if chosen else arm

    return with_choice


def from_seed(plan: Plan, seed: int, *, count: int | None = None) -> Plan:
    """The plan with other seeds for its students; data are divided as before.

    Args:
        plan: of the recipe.
        seed: the first one; taken modulo 2^32.
        count: how many; `None`: as before.
    """
    seeds = plan.recipe.verdict.seeds if count is None else count
    verdict = plan.recipe.verdict.model_copy(update={"first_seed": seed % 2**32, "seeds": seeds})
    return replace(plan, recipe=plan.recipe.model_copy(update={"verdict": verdict}))
