"""The kinds of study: what each asks, trains, finds and shows; one file each.

A kind's module holds `QUESTION`, `TAKES`, `CHANGES`, `design(plan, options)`, `answer(found)` and `view(study)`.
"""

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from limbeck.errors import RecipeError
from limbeck.runs.plan import Plan
from limbeck.studies.answer import Answer
from limbeck.studies.design import Design, Options
from limbeck.studies.found import Found
from limbeck.studies.record import StudyRecord
from limbeck.studies.view import View

KINDS = {
    "methods": "limbeck.studies.kinds.methods",
    "data": "limbeck.studies.kinds.data",
    "time": "limbeck.studies.kinds.time",
    "schedule": "limbeck.studies.kinds.schedule",
    "temperature": "limbeck.studies.kinds.temperature",
    "fidelity": "limbeck.studies.kinds.fidelity",
    "missing-class": "limbeck.studies.kinds.missing_class",
    "teachers": "limbeck.studies.kinds.teachers",
    "ensembles": "limbeck.studies.kinds.ensembles",
    "born-again": "limbeck.studies.kinds.born_again",
}
"""Kind -> its module."""
OPTIONS = {
    "methods": "--methods", "shares": "--shares", "without": "--without", "teachers": "--teachers",
    "generations": "--generations",
}  # fmt: skip
"""What a study can be asked beside its recipe, and how the command line spells it."""


class Kind(Protocol):
    """The role that a kind's module fills."""

    QUESTION: str
    TAKES: tuple[str, ...]
    """Which of `OPTIONS` it takes."""
    CHANGES: Mapping[str, Any]
    """Recipe keys that the kind decides."""

    def design(self, plan: Plan, options: Options) -> Design:
        """What is trained."""
        ...

    def answer(self, found: Found) -> Answer:
        """What was found."""
        ...

    def view(self, study: StudyRecord) -> View:
        """Plots and tables, from the record alone."""
        ...


def named(kind: str) -> Kind:
    """The kind of that name.

    Raises:
        RecipeError: there is none.
    """
    if kind not in KINDS:
        raise RecipeError(f"study: {kind!r} is no kind of study; use one of: {', '.join(KINDS)}")
    return cast("Kind", import_module(KINDS[kind]))


def refuse_others(kind: str, asked: Collection[str]) -> None:
    """Refuses options that the kind would not look at.

    Args:
        kind: there is one of that name.
        asked: of `OPTIONS`, those that were given.

    Raises:
        RecipeError: one of them is another kind's.
    """
    for option in sorted(set(asked) - set(named(kind).TAKES)):
        whose = [each for each in KINDS if option in named(each).TAKES]
        raise RecipeError(f"study {kind} takes no {OPTIONS[option]}; it is for {' and '.join(whose)}")
