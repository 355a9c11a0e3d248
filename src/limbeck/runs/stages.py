"""The stages that runs and studies share: the teacher is raised, an arm is tuned, and trained with every seed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from limbeck.core import processes
from limbeck.record import Estimate, Tuning
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

    Of several, each that was trained here is kept in a folder of its number below that.

    Raises:
        TeacherQualityError: it is below the recipe's minimum.
    """
    recipe = plan.recipe
    if recipe.guide.from_ is not None:
        shop = replace(shop, also=Path(recipe.guide.from_) / TEACHER / "checkpoints")
    raised = raise_teacher(plan, shop)
    if raised.live is None:
        return raised, shop
    quality = require_quality(raised.live, plan.splits, plan.task, recipe.teacher.min_quality, shop.batch_size)
    shop.reporter.say(f"teacher: {wording.figure(plan.task, quality.value)} on validation")
    if processes.is_main():
        _keep(plan, raised, quality, folder / "teacher")
        for number, member in enumerate(raised.members):
            if member.live is not None and member.fitted is not None:
                own = require_quality(member.live, plan.splits, plan.task, None, shop.batch_size)
                _keep(plan.member(number), member, own, folder / "teacher" / str(number + 1))
    return raised, shop


def _keep(plan: Plan, raised: Raised, quality: Estimate, folder: Path) -> None:
    """Writes a teacher that was trained here into a folder of its own."""
    if raised.live is not None and raised.fitted is not None:
        keep_teacher(
            folder, recipe=plan.recipe, splits=plan.splits, task=plan.task, teacher=raised.live, fitted=raised.fitted,
            quality=quality,
        )  # fmt: skip


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


def seeds(
    plan: Plan, arm: Arm, settings: Settings, shops: Shop | Sequence[Shop], name: str | None = None
) -> list[Fitted]:
    """An arm with the settings chosen, trained once a seed.

    Args:
        plan: how many seeds, from which on, and how many steps.
        arm: what is trained.
        settings: one of its candidates.
        shops: the teacher among others; one for all seeds, or one a seed.
        name: of the trainings, for people; `None`: the arm's role.
    """
    count = max(1, plan.recipe.verdict.seeds)
    each = [shops] * count if isinstance(shops, Shop) else shops
    return [
        plan.trained(
            arm, settings, shop=shop, seed=(plan.first_seed + number) % 2**32, steps=plan.steps, name=name
        )
        for number, shop in zip(range(count), each, strict=True)
    ]  # fmt: skip
