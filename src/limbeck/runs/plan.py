"""`Plan`: a recipe with everything opened, built and checked; nothing has been written yet."""

from dataclasses import dataclass, replace
from pathlib import Path

from limbeck.core import processes
from limbeck.core.architecture import architecture_fingerprint
from limbeck.core.identity import fingerprint, state_fingerprint
from limbeck.core.progress import Reporter
from limbeck.core.runtime import Runtime, resolve
from limbeck.data.loader import check_dealt, steps_for
from limbeck.data.views import Views, op_named
from limbeck.guide.read import open_guide
from limbeck.objectives import objective_fingerprint
from limbeck.recipe import GUIDE, Recipe, dump
from limbeck.runs.arms import Arm, comparison_arms, student_arm
from limbeck.runs.black_box import hidden
from limbeck.runs.build import (
    NOBODY,
    Blueprint,
    member_given,
    member_recipe,
    student_blueprint,
    teacher_blueprint,
)
from limbeck.runs.fit import Fitted, Job, Settings, Shop, fit
from limbeck.runs.given import Given
from limbeck.runs.growing import check_growth
from limbeck.runs.insides import check_insides, with_features
from limbeck.runs.splits import Splits, open_splits
from limbeck.task import Task, named
from limbeck.tracking import Tracking, check
from limbeck.training import accumulate
from limbeck.training.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do.

    Attributes:
        recipe: resolved: device, threads and the like are filled in.
        given: objects beside it.
        task: the kind of answer.
        splits: who may see what.
        student: how students are made.
        teacher: how the teacher is made; `None`: it exists only as its guide, or grows with the student.
        arms: the student first, then whom it is compared with.
        views: augmentation.
        runtime: where it computes.
        settings: the students' optimiser.
        steps: optimiser steps of every arm.
    """

    recipe: Recipe
    given: Given
    task: Task
    splits: Splits
    student: Blueprint
    teacher: Blueprint | None
    arms: tuple[Arm, ...]
    views: Views
    runtime: Runtime
    settings: TrainSettings
    steps: int

    @property
    def first_seed(self) -> int:
        """Of the student that ships."""
        named = self.recipe.verdict.first_seed
        return self.recipe.seed if named is None else named

    def fingerprint(self) -> str:
        """SHA-256 of the recipe and of whatever was given beside it.

        `teacher.min_quality` is left out: it stops a run and changes nothing in one, so it can be lowered on the way.
        Neither do trackers, nor what studies compare, so they can be named later; nor a preset's name beside its keys.
        """
        recipe = self.recipe.model_dump(mode="json", by_alias=True)
        del recipe["teacher"]["min_quality"], recipe["track"], recipe["study"], recipe["preset"]
        recipe["teacher"] = {k: v for k, v in recipe["teacher"].items() if v is not None or k not in ("peers", "ema")}
        return fingerprint(
            {
                "recipe": recipe,
                "data": self.splits.fingerprint(),
                "teacher": _weights(self.teacher, self.recipe.seed),
                "student": _weights(self.student, self.recipe.seed),
                "objective": None if self.given.objective is None else objective_fingerprint(self.given.objective),
            }
        )

    def shop(self, folder: Path, reporter: Reporter) -> Shop:
        """What all trainings of the run share; without a teacher yet."""
        return Shop(
            folder=folder / "checkpoints",
            task=self.task,
            validation=self.splits.validation,
            views=self.views,
            batch_size=self.recipe.train.batch_size,
            runtime=self.runtime,
            reporter=reporter,
            track=tracking(self.recipe, folder / "track", reporter),
        )

    def member(self, number: int) -> "Plan":
        """The plan as one of its several teachers sees it."""
        assert self.teacher is not None, "a teacher that cannot be asked is one"
        return replace(
            self, recipe=member_recipe(self.recipe, number), given=member_given(self.given, number),
            teacher=self.teacher.members[number],
        )  # fmt: skip

    def trained(
        self, arm: Arm, settings: Settings, *, shop: Shop, seed: int, steps: int, name: str | None = None
    ) -> Fitted:
        """Trains one model of an arm, called by `name` or its role."""
        called = name or arm.role
        what = f"{called}, seed {seed}" if steps == self.steps else f"{called}, trial"
        return fit(
            Job(
                name=what,
                role=arm.role,
                blueprint=self.student,
                seed=seed,
                source=arm.source(settings),
                objective=arm.objective(settings),
                steps=steps,
                settings=settings,
                train=self.settings,
                earlier=arm.earlier,
            ),
            shop,
        )


def plan(recipe: Recipe, given: Given, *, pupil: bool = True) -> Plan:
    """Opens the data, builds teacher and student, and checks that all fit together.

    Args:
        recipe: as it was loaded.
        given: objects beside it.
        pupil: whether the student is built and checked; a guide needs none.

    Returns:
        The plan.

    Raises:
        InputError: something does not fit; nothing was written.
    """
    check_dealt(recipe.train.batch_size, processes.world())
    task = named(recipe.task)
    check([track.kind for track in recipe.track])
    views = recipe.data.views
    made = Views(tuple(op_named(op.op, **op.settings) for op in views.ops), seed=views.seed, count=views.count)
    splits = open_splits(recipe, given, task)
    made.check(splits.transfer.spec)
    settings = TrainSettings(**recipe.train.model_dump(exclude={"epochs", "batch_size"}))
    first = student_arm(recipe, given, splits)
    for objective in first.stages(first.candidates[0]):
        objective.check_outputs(task.outputs(splits.classes))
        accumulate.check(objective, settings.accumulate)
    student = student_blueprint(recipe, given, splits) if pupil else NOBODY
    unasked = recipe.teacher.from_ == GUIDE or recipe.teacher.grows
    teacher = None if unasked else teacher_blueprint(recipe, given, splits)
    check_growth(recipe, first, student, pupil=pupil)
    recipe, runtime = _resolved(recipe, student if teacher is None else teacher)
    recipe = with_features(recipe, first.needs())
    if pupil:
        _check_insides(recipe, first, student, teacher, splits)
    seeds = recipe.verdict.seeds
    others = comparison_arms(recipe, splits, len(first.candidates)) if seeds else []
    return Plan(
        recipe=recipe,
        given=given,
        task=task,
        splits=splits,
        student=student,
        teacher=teacher,
        arms=(first, *others),
        views=made,
        runtime=runtime,
        settings=settings,
        steps=steps_for(recipe.train.epochs, len(splits.transfer), recipe.train.batch_size),
    )


def _check_insides(recipe: Recipe, arm: Arm, student: Blueprint, teacher: Blueprint | None, splits: Splits) -> None:
    """Objectives on activations are tried before a teacher is trained for nothing."""
    told = recipe.guide.from_
    speaker = open_guide(told, check=False) if teacher is None and told is not None else teacher
    for settings in arm.candidates if arm.needs().insides else ():
        check_insides(
            arm.stages(settings), student=student, teacher=speaker, source=splits.transfer,
            outputs=len(splits.classes), seed=recipe.seed,
        )  # fmt: skip


def _resolved(recipe: Recipe, largest: Blueprint) -> tuple[Recipe, Runtime]:
    """The recipe with device and threads filled in; the teacher, the larger of both, decides how many threads pay."""
    wanted = recipe.runtime
    module = largest.make(recipe.seed)
    parameters = hidden(module)[0] + sum(p.numel() for p in module.parameters())
    runtime = resolve(
        device=wanted.device, threads=wanted.threads, mixed_precision=wanted.mixed_precision,
        strategy=wanted.strategy, parameters=parameters,
    )  # fmt: skip
    return recipe.model_copy(update={"runtime": wanted.model_copy(update=runtime.as_dict())}), runtime


def tracking(recipe: Recipe, folder: Path, reporter: Reporter) -> Tracking:
    """The recipe's trackers, which write into `folder`."""
    projects: dict[str, str] = {track.kind: track.project or recipe.name for track in recipe.track}
    config = recipe.model_dump(mode="json", by_alias=True)
    return Tracking(projects, folder, config, dump(recipe), reporter.say)


def _weights(blueprint: Blueprint | None, seed: int) -> str | None:
    """Fingerprint of a model as it begins: what came from outside is in no recipe."""
    if blueprint is None or blueprint is NOBODY:
        return None
    module = blueprint.make(seed)
    return fingerprint([architecture_fingerprint(module), state_fingerprint(module.state_dict())])


def resolved_text(made: Plan) -> str:
    """The resolved recipe, as it is saved with the run; what Python code gave beside it is named in a comment."""
    text = dump(made.recipe)
    if made.given.objective is not None:
        text = f"# The objective was given in Python and stands for the one below: {made.given.objective}\n{text}"
    return text
