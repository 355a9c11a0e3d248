"""What a run tells in words: to the record's reader (objective, teacher, notes), and on the way."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from limbeck.record import ModelRecord, Record, Tuning
from limbeck.runs.arms import in_words
from limbeck.runs.build import Blueprint
from limbeck.runs.growing import growth_of
from limbeck.runs.overlap import Overlap
from limbeck.runs.plan import Plan
from limbeck.task import Task


def figure(task: Task, value: float) -> str:
    """A value of the primary metric.

    Example:
        >>> from limbeck.task import named
        >>> figure(named("multiclass"), 0.825)
        '82.5% accuracy'
    """
    shown = f"{100 * value:.1f}%" if task.metric.percent else f"{value:.4g}"
    return f"{shown} {task.metric.name}"


def opening(plan: Plan, folder: Path, finished: int) -> list[str]:
    """What will be done, and what of it is done already."""
    splits = plan.splits
    unlabelled = int((splits.transfer.labels < 0).sum())
    learn = f"{len(splits.labelled):,} labelled and {unlabelled:,} unlabelled examples to learn from"
    judge = f"{len(splits.validation):,} to choose on, {len(splits.test):,} to test on"
    lines = [f"{plan.recipe.name}: {learn}, {judge}"]
    if finished:
        lines.append(f"going on in {folder}, where {finished} training{'s are' if finished > 1 else ' is'} finished")
    train = plan.recipe.teacher.train
    if train is not None:
        passes = "1 epoch" if train.epochs == 1 else f"{train.epochs} epochs"
        lines.append(f"teacher: {train.family}, {passes} on {len(splits.teacher):,} labels")
    if plan.recipe.teacher.ensemble is not None:
        lines.append(f"teacher: {len(plan.recipe.teacher.members)} that speak as one ({plan.recipe.teacher.rule})")
    adapt = plan.recipe.teacher.adapt
    if adapt is not None:
        what = "a new head" if adapt.what == "head" else "trained on, with a new head"
        lines.append(f"teacher: {plan.recipe.teacher.from_}, {what}, from {len(splits.teacher):,} labels")
    return lines


def students_to_train(plan: Plan) -> str:
    """Who is trained how often."""
    roles, seeds = [arm.role for arm in plan.arms], max(1, plan.recipe.verdict.seeds)
    names = roles[0] if len(roles) == 1 else f"{', '.join(roles[:-1])} and {roles[-1]}"
    each = "each " if len(roles) > 1 else ""
    most = "" if plan.settings.patience is None else "at most "
    return f"students: {names}, {each}with {seeds} seed{'s' if seeds > 1 else ''} and {most}{plan.steps:,} steps"


def times(seconds: Mapping[str, float]) -> str:
    """How long each stage took.

    Example:
        >>> times({"teacher": 12.34, "tuning": 81.0})
        'done: teacher 12.3 s, tuning 81.0 s'
    """
    return f"done: {', '.join(f'{stage} {value:.1f} s' for stage, value in seconds.items())}"


def objective_in_words(plan: Plan, tunings: list[Tuning]) -> str:
    """The student's objective after tuning: the formula, and the choice in words."""
    chosen = tunings[0].chosen
    arm = plan.arms[0]
    earlier = [f"{stage.objective} for the first {stage.share:.0%} of the steps, then " for stage in arm.earlier]
    formula = "".join(earlier) + str(arm.objective(chosen))
    return f"{formula} ({in_words(chosen)})" if chosen else formula


def teacher_in_words(plan: Plan, record: Record) -> str:
    """Name, size and test quality of the teacher."""
    model = next((m for m in record.models if m.role == "teacher"), None)
    growth = growth_of(plan.recipe)
    if growth is not None:
        return str(growth)
    if model is None or plan.teacher is None:
        return f"labels that were made elsewhere ({plan.recipe.guide.from_})"
    spec = plan.teacher.spec
    name = spec.get("family") or spec.get("module") or " + ".join(_called(member) for member in plan.teacher.members)
    value = model.quality["test"][record.metric.name].value
    return f"{name} with {model.params:,} parameters, {figure(plan.task, value)} on test"


def _called(teacher: Blueprint) -> str:
    return str(teacher.spec.get("family") or teacher.spec.get("module"))


def notes_on_training(plan: Plan, models: Sequence[ModelRecord]) -> list[str]:
    """Options of training that change what a number in the report means; they are alike for every arm."""
    settings, notes = plan.settings, []
    if settings.patience is not None:
        done: dict[str, list[int]] = {}
        for model in models:
            if model.role != "teacher" and model.steps is not None:
                done.setdefault(model.role, []).append(model.steps)
        average = ", ".join(f"{role} {sum(steps) / len(steps):,.0f}" for role, steps in done.items())
        looks = "1 look" if settings.patience == 1 else f"{settings.patience} looks in a row"
        notes.append(
            f"Training stopped early, by one rule for every arm: after {looks} at validation without gain, at the "
            f"latest after {plan.steps:,} steps, and with the best weights seen. Steps made on average: {average}."
        )
    if settings.ema is not None:
        notes.append(f"Every arm's weights are moving averages over its steps (train.ema: {settings.ema:g}).")
    if settings.compile:
        notes.append("Training went through torch.compile, so a repetition may differ in the last bits.")
    return notes


def told(copies: Overlap) -> str:
    """What copies in two splits mean.

    Example:
        >>> told(Overlap("test", "training", 3, 1000))
        'Test shares 3 of 1,000 examples with the training data, so quality on test may look better than it is.'
    """
    return f"{str(copies).capitalize()}, so quality on {copies.part} may look better than it is."


def notes_on(plan: Plan, conditions: str | None) -> list[str]:
    """What the reader should know before believing the numbers."""
    notes = [] if conditions is None else [conditions]
    splits = plan.splits
    if not plan.student.reseeds:
        notes.append(
            "The student was given as a module: every seed starts from its weights, and seeds vary order and dropout "
            "only. Pass a function that makes a fresh student, so that the verdict covers initialisation too."
        )
    notes.extend(plan.student.notes)
    notes.extend(() if plan.teacher is None else plan.teacher.notes)
    most = len(plan.arms[0].candidates)
    if 1 < most < plan.recipe.tune.trials:
        notes.append(f"tune.trials asks for {plan.recipe.tune.trials} candidates; there are {most}, for every arm.")
    notes.extend(f"Data: {note}." for note in splits.notes)
    notes.extend(told(each) for each in splits.overlaps)
    if plan.views.note:
        notes.append(plan.views.note)
    taught = plan.recipe.teacher.learns
    if taught is not None and taught.labels == "all" and len(splits.teacher) > len(splits.labelled):
        notes.append(
            f"The teacher was trained on {len(splits.teacher):,} labels, of which the students could see "
            f"{len(splits.labelled):,}: it stands for a teacher that exists already."
        )
    if len(splits.validation) < 200:
        notes.append(
            f"Validation has {len(splits.validation)} examples, so its choice of temperature and smoothing is coarse."
        )
    return notes
