"""The teacher of a run: trained here or brought along, frozen, and good enough to teach."""

from dataclasses import replace

from limbeck.data.loader import evaluation_batches, steps_for
from limbeck.errors import TeacherQualityError
from limbeck.measuring.quality import quality
from limbeck.objectives import HardLabels, as_sum
from limbeck.recipe.model import Recipe
from limbeck.record import Estimate
from limbeck.runs.build import Blueprint
from limbeck.runs.fit import Fitted, Job, Shop, fit
from limbeck.runs.predictions import teacher_logits
from limbeck.runs.splits import Splits
from limbeck.task import Task
from limbeck.teachers.live import CHUNK, LiveTeacher
from limbeck.training.settings import TrainSettings


def raise_teacher(
    recipe: Recipe, blueprint: Blueprint, splits: Splits, shop: Shop, settings: TrainSettings
) -> tuple[LiveTeacher, Fitted | None]:
    """Trains the recipe's teacher, or takes the one that exists.

    Args:
        recipe: its `teacher` section.
        blueprint: makes the module.
        splits: the teacher's own examples.
        shop: without a teacher yet.
        settings: the students' optimiser; the teacher's own learning rate replaces theirs.

    Returns:
        The frozen teacher, and how it was trained (`None`: it was not).
    """
    train = recipe.teacher.train
    fitted = None
    if train is None:
        module = blueprint.make(recipe.seed)
    else:
        rate = train.learning_rate or settings.learning_rate
        job = Job(
            name="teacher",
            role="teacher",
            blueprint=blueprint,
            seed=recipe.seed,
            source=splits.teacher,
            objective=as_sum(HardLabels(train.label_smoothing)),
            steps=steps_for(train.epochs, len(splits.teacher), shop.batch_size),
            settings={"label_smoothing": train.label_smoothing},
            train=replace(settings, learning_rate=rate),
        )
        fitted = fit(job, shop)
        module = fitted.model().core
    teacher = LiveTeacher(
        module,
        preprocess=blueprint.preprocess,
        classes=splits.classes,
        teacher_classes=None if recipe.teacher.classes is None else tuple(recipe.teacher.classes),
        device=shop.runtime.device,
        chunk=min(CHUNK, shop.batch_size),
    )
    return teacher, fitted


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
            "(teacher.train.epochs, its preprocessing, its class order) and choose another --out"
        )
    return found
