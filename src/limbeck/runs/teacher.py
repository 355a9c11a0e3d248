"""The teacher of a run: trained here or brought along, frozen, and good enough to teach."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from limbeck.data.loader import evaluation_batches, steps_for
from limbeck.data.preprocess import Prepared
from limbeck.data.source import Source
from limbeck.data.subset import Subset
from limbeck.data.views import Views
from limbeck.errors import ModelError, TeacherQualityError
from limbeck.guide.combine import Ensemble
from limbeck.guide.memorised import measure, warning
from limbeck.measuring.quality import quality
from limbeck.objectives import HardLabels, as_sum
from limbeck.recipe.model import TeacherTraining
from limbeck.record import Estimate
from limbeck.runs.adapt import adapted
from limbeck.runs.build import Blueprint, panel, taken_columns
from limbeck.runs.fit import Fitted, Job, Shop, fit
from limbeck.runs.plan import Plan
from limbeck.runs.predictions import teacher_logits
from limbeck.runs.splits import Splits
from limbeck.task import Array, Task
from limbeck.teachers.crossfit import CrossFitted, folds_of
from limbeck.teachers.ensemble import Together
from limbeck.teachers.live import CHUNK, LiveTeacher
from limbeck.teachers.rules import Panel, learned_weights
from limbeck.teachers.turns import TakingTurns


@dataclass(frozen=True, slots=True)
class Raised:
    """The teacher of a run.

    Attributes:
        live: can be asked about anything; `None`: it exists only as its guide.
        fitted: how it was trained; `None`: it was not.
        speaker: who labels the transfer set: the same, teachers of which none labels what it was trained on, several
            that take turns, or several that speak as one.
        members: of several, each.
        note: what the reader should know of them.
    """

    live: LiveTeacher | None = None
    fitted: Fitted | None = None
    speaker: LiveTeacher | CrossFitted | TakingTurns | Ensemble | None = None
    members: tuple["Raised", ...] = ()
    note: str | None = None


def raise_teacher(plan: Plan, shop: Shop, name: str = "teacher") -> Raised:
    """Trains the plan's teacher, and those of its folds, or its new head; or takes the one that exists; or several.

    Args:
        plan: its recipe's `teacher` section, and the blueprint.
        shop: without a teacher yet.
        name: of its training, for people.

    Returns:
        The frozen teacher.
    """
    recipe, blueprint, splits = plan.recipe, plan.teacher, plan.splits
    if blueprint is None:
        return Raised()
    if blueprint.members:
        return _raise_several(plan, blueprint, shop)
    if recipe.teacher.adapt is not None:
        module, fitted = adapted(plan, shop)
        live = _frozen(plan, blueprint, module)
        return Raised(live, fitted, live)
    if recipe.teacher.train is None:
        live = _frozen(plan, blueprint, blueprint.make(recipe.seed))
        return Raised(live=live, speaker=live)
    whole = fit(_job(plan, blueprint, splits.teacher, recipe.teacher.train, name), shop)
    live = _frozen(plan, blueprint, whole.model().core)
    folds = recipe.teacher.train.folds
    if folds is None:
        return Raised(live, whole, live)
    own = folds_of(splits.teacher.ids, folds, recipe.seed)
    parts = []
    for fold in range(folds):
        source = Subset(splits.teacher, np.flatnonzero(own != fold))
        name = f"teacher without fold {fold + 1} of {folds}"
        part = fit(_job(plan, blueprint, source, recipe.teacher.train, name), shop)
        parts.append(_frozen(plan, blueprint, part.model().core))
    return Raised(live, whole, CrossFitted(live, parts, ids=splits.teacher.ids, seed=recipe.seed))


def student_as_teacher(plan: Plan, fitted: Fitted) -> Raised:
    """A trained student that teaches the next one.

    Args:
        plan: by which it was trained.
        fitted: the student.
    """
    live = _frozen(plan, fitted.job.blueprint, fitted.model().core)
    return Raised(live, fitted, live)


def _raise_several(plan: Plan, blueprint: Blueprint, shop: Shop) -> Raised:
    """Each by itself; then the weights, where they are learned; then all as one."""
    count = len(blueprint.members)
    members = tuple(
        raise_teacher(plan.member(number), shop, f"teacher {number + 1} of {count}") for number in range(count)
    )
    lives = [member.live for member in members if member.live is not None]
    size = plan.recipe.train.batch_size
    logits = [teacher_logits(live, evaluation_batches(plan.splits.validation, size)) for live in lives]
    classes, asked = plan.splits.classes, plan.recipe.teacher
    first = panel(asked, blueprint.members, classes)
    learned = None
    if asked.shares == "learned":
        if first.specialists:
            raise ModelError("teacher.shares: weights are learned for teachers that all know all classes; give numbers")
        everyone = torch.stack([torch.as_tensor(each) for each in logits]).float()
        learned = learned_weights(everyone.softmax(dim=2).numpy(), plan.splits.validation.labels)
    final = panel(asked, blueprint.members, classes, learned)
    parts = [Prepared(live.module, live.preprocess) for live in lives]
    together = Together(parts, [taken_columns(member, classes) for member in blueprint.members], final)
    live = _frozen(plan, replace(blueprint, classes=None), together)
    seed = plan.recipe.seed
    return Raised(
        live=live,
        speaker=TakingTurns(live, lives, weights=final.weights, seed=seed)
        if final.rule == "random-view"
        else Ensemble(lives, rule=final.rule, weights=final.weights, seed=seed),
        members=members,
        note=_in_words(plan, final, logits),
    )


def _in_words(plan: Plan, asked: Panel, logits: list[Array]) -> str:
    """What each is worth, and how much it counts."""
    task, labels = plan.task, plan.splits.validation.labels
    said = []
    for number, weight in enumerate(asked.weights):
        if asked.places[number] is None:
            value = quality(task, logits[number], labels)[task.metric.name].value
            said.append(f"{100 * value:.1f}%" if task.metric.percent else f"{value:.4g}")
        else:
            said.append("a specialist")
        said[-1] += f" (weight {weight:.2f})"
    learned = ", weights learned there" if plan.recipe.teacher.shares == "learned" else ""
    return f"{len(said)} teachers speak as one (rule: {asked.rule}); on validation{learned}: {', '.join(said)}."


def _job(plan: Plan, blueprint: Blueprint, source: Source, train: TeacherTraining, name: str) -> Job:
    rate = train.learning_rate or plan.settings.learning_rate
    return Job(
        name=name,
        role="teacher",
        blueprint=blueprint,
        seed=plan.recipe.seed,
        source=source,
        objective=as_sum(HardLabels(train.label_smoothing)),
        steps=steps_for(train.epochs, len(source), plan.recipe.train.batch_size),
        settings={"label_smoothing": train.label_smoothing},
        train=replace(plan.settings, learning_rate=rate),
    )


def _frozen(plan: Plan, blueprint: Blueprint, module: nn.Module) -> LiveTeacher:
    return LiveTeacher(
        module,
        preprocess=blueprint.preprocess,
        classes=blueprint.knows or plan.splits.classes,
        teacher_classes=blueprint.classes,
        device=plan.runtime.device,
        chunk=min(CHUNK, plan.recipe.train.batch_size),
        taps=tuple(plan.recipe.guide.features),
    )


def require_quality(
    teacher: LiveTeacher, splits: Splits, task: Task, minimum: float | None, batch_size: int
) -> Estimate:
    """The teacher's quality on validation.

    Args:
        teacher: the frozen teacher.
        splits: validation.
        task: the metric.
        minimum: the worst that is good enough; `None` accepts any.
        batch_size: examples a forward pass.

    Returns:
        The primary metric with its interval.

    Raises:
        TeacherQualityError: the teacher is below the minimum.
    """
    logits = teacher_logits(teacher, evaluation_batches(splits.validation, batch_size))
    found = quality(task, logits, splits.validation.labels)[task.metric.name]
    if minimum is None:
        return found
    short = found.value < minimum if task.metric.higher_is_better else found.value > minimum
    if short:
        raise TeacherQualityError(
            f"the teacher reaches {task.metric.name} {found.value:.4g} on validation, not the {minimum:g} of "
            "teacher.min_quality; lower that and run the same command again (the teacher is kept), or make it better "
            "(teacher.train.epochs, teacher.adapt, its preprocessing, its class order) and choose another --out"
        )
    return found


def kept_teacher(views: Views) -> str | None:
    """Of rule `random-view`: what it means that each example has one view, in words; `None` where it has more."""
    if views.ops and views.count != 1:
        return None
    why = "without views (data.views)" if not views.ops else "with one view of each example (data.views.count: 1)"
    return (
        f"{why[0].upper()}{why[1:]} each example keeps one teacher, drawn once, for the whole of training: the student "
        "hears that teacher's errors about it and never the mean. Add views, or use rule: probabilities."
    )


def notes_on_teacher(plan: Plan, raised: Raised) -> list[str]:
    """Whether the teacher has memorised what it was trained on, and what was done about it; who several are."""
    if raised.note is not None:
        still = kept_teacher(plan.views) if plan.recipe.teacher.rule == "random-view" else None
        return [raised.note, *([] if still is None else [still])]
    if raised.live is None or raised.fitted is None:
        return []
    folds = plan.recipe.teacher.train.folds if plan.recipe.teacher.train is not None else None
    if folds is not None:
        told = f"The labels are cross-fitted: {folds} more teachers each labelled the fold they were not trained on."
        mixed = "" if plan.views.mixing is None else " (Views mix in partners that such a teacher may have seen.)"
        return [told + mixed]
    found = warning(measure(raised.live, plan.splits.teacher, plan.splits.validation, device=plan.runtime.device))
    return [] if found is None else [found]
