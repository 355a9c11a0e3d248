"""A study carried out: its teachers are raised and heard, its arms tuned and trained, and all asked about test once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path

from limbeck.core.progress import Reporter, Silent
from limbeck.data.loader import evaluation_batches
from limbeck.measuring.evaluate import predict
from limbeck.runs import stages
from limbeck.runs.arms import Arm
from limbeck.runs.clock import Clock
from limbeck.runs.fit import Settings, Shop
from limbeck.runs.guided import hear
from limbeck.runs.plan import Plan
from limbeck.runs.predictions import teacher_logits
from limbeck.runs.tune import choose
from limbeck.studies.design import TEACHER, Design, Member
from limbeck.studies.found import Found, Taught, Trained
from limbeck.studies.words import in_words


def conduct(design: Design, folder: Path, clock: Clock, reporter: Reporter) -> dict[str, Trained | Taught]:
    """Trains everything; what is finished is found, so that the same call goes on where it was.

    Args:
        design: what is trained.
        folder: of the study; trainings lie in `checkpoints`, each named by what it depends on.
        clock: counts the stages.
        reporter: shows progress.

    Returns:
        Teachers and arms by name, the teachers' names with a slash before them.
    """
    found: dict[str, Trained | Taught] = {}
    for name in design.tutors:
        found[f"/{name}"] = _taught(name, design, folder, clock, reporter)
    choices: dict[str, Settings] = {}
    made: dict[str, Trained] = {}
    total = len(design.members)
    for number, member in enumerate(design.members, start=1):
        reporter.say(f"arm {number} of {total}: {member.name}")
        taught = found.get(f"/{member.tutor}")
        shop = _shop(member, taught if isinstance(taught, Taught) else None, folder, reporter)
        with clock.stage("tuning"):
            chosen = _tuned(member, choices, shop)
        choices[member.name] = chosen.settings
        with clock.stage("students"):
            fitted = stages.seeds(member.plan, chosen.arm, chosen.settings, shop, member.name)
        made[member.name] = replace(chosen, fitted=tuple(fitted))
    return {**found, **made}


def asked(plan: Plan, design: Design, everything: Mapping[str, Trained | Taught]) -> Found:
    """Asks every final model about test, once."""
    batch_size = plan.recipe.train.batch_size
    trained = {name: each for name, each in everything.items() if isinstance(each, Trained)}
    taught = {name.removeprefix("/"): each for name, each in everything.items() if isinstance(each, Taught)}
    test = {
        name: [predict(fitted.model(), evaluation_batches(plan.splits.test, batch_size)) for fitted in each.fitted]
        for name, each in trained.items()
    }
    teachers = {
        name: teacher_logits(each.raised.live, evaluation_batches(plan.splits.test, batch_size))
        for name, each in taught.items()
        if each.raised.live is not None
    }
    return Found(plan, design, trained, taught, test, teachers)


def _taught(name: str, design: Design, folder: Path, clock: Clock, reporter: Reporter) -> Taught:
    """One teacher for all arms that listen to it: it speaks once, into a guide, where that pays."""
    tutor, own = design.tutors[name], folder if name == TEACHER else folder / "teachers" / name
    shop = tutor.plan.shop(folder, reporter)
    with clock.stage("teacher"):
        raised, _shop = stages.teacher(tutor.plan, shop, own)
    listeners = [(member, member.arm({})) for member in design.members if member.tutor == name]
    together = [each for each in listeners if not _more(each[1], tutor.plan)]
    plan = replace(tutor.plan, arms=tuple(arm for _, arm in together), steps=_steps(together, tutor.plan))
    stage = f"guide of {name}" if name != TEACHER else "guide"
    with clock.stage(stage):
        heard = hear(plan, raised.speaker, own, reporter)
    apart = {
        member.name: hear(replace(tutor.plan, arms=(arm,)), raised.speaker, own, Silent())
        for member, arm in listeners
        if _more(arm, tutor.plan)
    }
    return Taught(raised, heard, apart, clock.seconds[stage])


def _steps(listeners: Sequence[tuple[Member, Arm]], plan: Plan) -> int:
    """Steps over the teacher's transfer set in which each example comes as often as for whom it comes most often."""
    size, whole = plan.recipe.train.batch_size, len(plan.splits.transfer)
    passes = [
        member.plan.steps * size / len(arm.source(settings))
        for member, arm in listeners
        for settings in arm.candidates
        if any(stage.needs().teacher for stage in arm.stages(settings))
    ]
    return max(plan.steps, ceil(max(passes, default=0.0) * whole / size))


def _more(arm: Arm, plan: Plan) -> bool:
    """Whether an arm reads more of the teacher than the plan's guide keeps, so that it asks the live one."""
    needs = arm.needs()
    return needs.input_gradient or not set(needs.teacher_taps) <= plan.recipe.guide.features.keys()


def _shop(member: Member, taught: Taught | None, folder: Path, reporter: Reporter) -> Shop:
    shop = member.plan.shop(folder, reporter)
    if taught is None:
        return shop
    heard = taught.apart.get(member.name, taught.heard)
    return replace(shop, teacher=heard.source, teacher_fingerprint=heard.fingerprint)


def _tuned(member: Member, choices: Mapping[str, Settings], shop: Shop) -> Trained:
    plan, how = member.plan, member.plan.recipe.tune
    arm = member.arm(choices[member.after] if member.after is not None else {})
    choice = choose(
        arm.candidates,
        lambda settings, steps: plan.trained(
            arm, settings, shop=shop, seed=plan.first_seed, steps=steps, name=member.name
        ),
        task=plan.task,
        steps=plan.steps,
        short_share=how.short_share,
        finalists=how.finalists,
    )
    if choice.trials:
        shop.reporter.say(f"{member.name}: validation chose {in_words(choice.settings)} of {len(arm.candidates)}")
    return Trained(member, arm, choice.settings, choice.trials, ())
