"""One method as an arm of a study: its candidates, and the objective that each of them makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from limbeck.core.needs import union
from limbeck.errors import RecipeError
from limbeck.guide.read import open_guide
from limbeck.objectives import METHODS, Objective, WeightedSum
from limbeck.objectives.aliases import no_method
from limbeck.objectives.support import require
from limbeck.runs.arms import Arm
from limbeck.runs.fit import Settings
from limbeck.runs.insides import check_insides, with_features
from limbeck.runs.named import load_named
from limbeck.runs.plan import Plan
from limbeck.studies.kinds.grids import GRIDS, OTHERS, Grid

LABELS = {"multiclass": "hard-labels", "binary": "binary-labels", "multilabel": "binary-labels"}
"""Task -> what learns from labels beside a method; others: regression-labels."""
PROVISIONAL: Settings = {"temperature": 2.0}
"""Stands for the reference's choice until validation has made it."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method as somebody asked for it.

    Attributes:
        plan: data, student and budget.
        name: as recipes call it.
        own: settings that are given, and so not tuned.
        reference: the method it stands beside where its grid says so.
    """

    plan: Plan
    name: str
    own: Mapping[str, Any]
    reference: str

    @property
    def grid(self) -> Grid:
        """What validation may choose among."""
        return GRIDS.get(self.name, OTHERS)

    def candidates(self) -> tuple[Settings, ...]:
        """The grid's candidates, without what is given."""
        left = [{key: value for key, value in each.items() if key not in self.own} for each in self.grid.candidates]
        return tuple(each for place, each in enumerate(left) if each not in left[:place])

    def objective(self, settings: Settings, chosen: Settings) -> WeightedSum:
        """The method, beside the reference or the labels where it stands beside them.

        Args:
            settings: one of the candidates.
            chosen: what validation chose for the reference.
        """
        values = {**settings, **self.own}
        weight, labels = float(values.pop("weight", 1.0)), float(values.pop("labels", 0.0))
        parts: list[tuple[float, Objective]] = []
        if self.grid.beside_targets and self.name != self.reference:
            parts.append((1.0, load_named(METHODS, self.reference, dict(chosen or PROVISIONAL))))
        if labels:
            parts.append((labels, load_named(METHODS, LABELS.get(self.plan.task.name, "regression-labels"), {})))
        parts.append((weight, load_named(METHODS, self.name, values)))
        return WeightedSum(parts)

    def arm(self, chosen: Settings, most: int) -> Arm:
        """Candidates, objective and examples: those who listen learn from everything, others from what has labels.

        Args:
            chosen: what validation chose for the reference.
            most: candidates.
        """
        splits = self.plan.splits
        listens = self.objective(self.candidates()[0], chosen).needs().teacher
        return Arm(
            "student",
            self.candidates()[:most],
            lambda settings: self.objective(settings, chosen),
            lambda _settings: splits.transfer if listens else splits.labelled,
        )


def method(plan: Plan, asked: Mapping[str, Any], reference: str) -> Method:
    """A method that can teach here.

    Args:
        plan: task, classes and signal.
        asked: `{"method": name}`, with settings beside the name.
        reference: the method it may stand beside.

    Raises:
        InputError: there is no such method, or it does not fit; nothing was trained.
    """
    name, own = str(asked.get("method")), {key: value for key, value in asked.items() if key != "method"}
    if name not in METHODS:
        raise RecipeError(f"study: {no_method(name)}")
    if name not in plan.task.objectives:
        raise RecipeError(f"study: {name} is not defined for the task {plan.task.name}; leave it out")
    made = Method(plan, name, own, reference)
    if made.grid.pair and not {"student", "teacher"} <= own.keys():
        raise RecipeError(
            f"study: {name} reads activations; say which in the recipe, study.methods: "
            f"[{{method: {name}, student: LAYER, teacher: LAYER}}]"
        )
    try:
        objective = made.objective(made.candidates()[0], PROVISIONAL)
    except TypeError as error:  # a setting that the method does not take, or one that it must have
        raise RecipeError(f"study: {name}: {error}; `limbeck methods` and docs/recipe.md list its settings") from error
    require(name, plan.recipe.guide.signal, objective.weighted_parts()[-1][1].needs())
    objective.check_outputs(plan.task.outputs(plan.splits.classes))
    if objective.needs().insides:
        _check_insides(made, objective)
    return made


def _check_insides(made: Method, objective: WeightedSum) -> None:
    """Tries what reads activations on a few rows, before a teacher is trained for nothing."""
    plan = made.plan
    recipe, guide = plan.recipe, plan.recipe.guide.from_
    if recipe.teacher.train is not None and recipe.teacher.train.folds is not None:
        raise RecipeError(
            f"study: {made.name} reads activations, which are not cross-fitted; remove teacher.train.folds"
        )
    with_features(recipe, objective.needs())
    teacher = open_guide(guide, check=False) if plan.teacher is None and guide is not None else plan.teacher
    check_insides(
        [objective], student=plan.student, teacher=teacher, source=plan.splits.transfer,
        outputs=len(plan.splits.classes), seed=recipe.seed,
    )  # fmt: skip


def keeping(plan: Plan, methods: Sequence[Method]) -> list[Method]:
    """The methods, by a plan whose guide, where one is written in any case, keeps the activations they read."""
    needs = union(each.objective(each.candidates()[0], PROVISIONAL).needs() for each in methods)
    kept = replace(plan, recipe=with_features(plan.recipe, needs))
    return [replace(each, plan=kept) for each in methods]
