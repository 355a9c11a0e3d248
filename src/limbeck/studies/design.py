"""What a study will train: arms beside one another, each with the plan it is trained by and the teacher it hears."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
        shares: of the labels, each above 0 and at most 1; `None`: the kind's own.
        without: the class that the student never sees.
        teachers: teachers to compare, by name.
    """

    methods: tuple[Mapping[str, Any], ...] | None = None
    shares: tuple[float, ...] | None = None
    without: str | None = None
    teachers: Mapping[str, Plan] | None = None


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
        tutor: which of the design's teachers it listens to; `None`: to none.
    """

    name: str
    about: str
    plan: Plan
    arm: Callable[[Settings], Arm]
    line: str = ""
    at: float | None = None
    after: str | None = None
    tutor: str | None = TEACHER


@dataclass(frozen=True, slots=True)
class Tutor:
    """A teacher of a study.

    Attributes:
        about: how sentences call it.
        plan: by which it is raised, and heard.
    """

    about: str
    plan: Plan


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


def constant(arm: Arm) -> Callable[[Settings], Arm]:
    """An arm that builds on nobody's choice."""
    return lambda _chosen: arm
