"""The stages that runs and studies share: the teacher is raised, an arm is tuned, and trained with every seed."""

from dataclasses import replace
from pathlib import Path

from limbeck.core import processes
from limbeck.record import Tuning
from limbeck.runs import wording
from limbeck.runs.arms import Arm
from limbeck.runs.fit import Fitted, Settings, Shop
from limbeck.runs.keep_teacher import keep_teacher
from limbeck.runs.labelling import TEACHER
from limbeck.runs.plan import Plan
from limbeck.runs.teacher import Raised, raise_teacher, require_quality
from limbeck.runs.tune import tune


def teacher(plan: Plan, shop: Shop, folder: Path) -> tuple[Raised, Shop]:
    """The teacher, and the shop; one that was trained here and is good enough is kept in `folder / "teacher"`.

    Raises:
        TeacherQualityError: it is below the recipe's minimum.
    """
    recipe, splits, task = plan.recipe, plan.splits, plan.task
    if recipe.guide.from_ is not None:
        shop = replace(shop, also=Path(recipe.guide.from_) / TEACHER / "checkpoints")
    raised = raise_teacher(plan, shop)
    if raised.live is None:
        return raised, shop
    quality = require_quality(raised.live, splits, task, recipe.teacher.min_quality, shop.batch_size)
    shop.reporter.say(f"teacher: {wording.figure(task, quality.value)} on validation")
    if raised.fitted is not None and processes.is_main():
        keep_teacher(
            folder / "teacher", recipe=recipe, splits=splits, task=task, teacher=raised.live, fitted=raised.fitted,
            quality=quality,
        )  # fmt: skip
    return raised, shop


def tuned(plan: Plan, arm: Arm, shop: Shop) -> Tuning:
    """What validation chooses for an arm of a run."""
    how = plan.recipe.tune
    chosen = tune(
        arm,
        lambda settings, steps: plan.trained(arm, settings, shop=shop, seed=plan.first_seed, steps=steps),
        task=plan.task,
        steps=plan.steps,
        short_share=how.short_share,
        finalists=how.finalists,
    )
    shop.reporter.say(chosen.sentence)
    return chosen


def seeds(plan: Plan, arm: Arm, settings: Settings, shop: Shop, name: str | None = None) -> list[Fitted]:
    """An arm with the settings chosen, trained once a seed.

    Args:
        plan: how many seeds, from which on, and how many steps.
        arm: what is trained.
        settings: one of its candidates.
        shop: the teacher among others.
        name: of the trainings, for people; `None`: the arm's role.
    """
    first = plan.first_seed
    return [
        plan.trained(arm, settings, shop=shop, seed=first + number, steps=plan.steps, name=name)
        for number in range(max(1, plan.recipe.verdict.seeds))
    ]
