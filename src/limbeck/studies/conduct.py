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
from limbeck.runs.fit import Fitted, Settings, Shop
from limbeck.runs.guided import hear
from limbeck.runs.plan import Plan
from limbeck.runs.predictions import teacher_logits
from limbeck.runs.teacher import Raised, student_as_teacher
from limbeck.runs.tune import choose
from limbeck.studies.design import TEACHER, Design, Member, from_seed
from limbeck.studies.found import Found, Taught, Trained
from limbeck.studies.words import file_name, in_words


def conduct(
    design: Design, folder: Path, clock: Clock, reporter: Reporter
) -> tuple[dict[str, Trained], dict[str, Taught]]:
    """Trains everything; what is finished is found, so that the same call goes on where it was.

    Args:
        design: what is trained.
        folder: of the study; trainings lie in `checkpoints`, each named by what it depends on.
        clock: counts the stages.
        reporter: shows progress.

    Returns:
        Arms and teachers by name.
    """
    taught: dict[str, Taught] = {}
    homes: set[str] = set()
    for name, tutor in design.tutors.items():
        again = tutor.home in homes
        taught[name] = _taught(name, design, folder, clock, reporter, again=again)
        homes |= set() if tutor.home is None else {tutor.home}
    choices: dict[str, Settings] = {}
    made: dict[str, Trained] = {}
    pupils: dict[str, list[Taught]] = {}
    total, teach = len(design.members), design.pupils()
    for number, member in enumerate(design.members, start=1):
        reporter.say(f"arm {number} of {total}: {member.name}")
        shops = _shops(member, taught, pupils, folder, reporter)
        with clock.stage("tuning"):
            chosen = _tuned(member, choices, shops[0])
        choices[member.name] = chosen.settings
        with clock.stage("students"):
            fitted = _trained(member, chosen, shops)
        made[member.name] = replace(chosen, fitted=tuple(fitted))
        if member.name in teach:
            pupils[member.name] = [
                _as_teacher(made[member.name], place, design, folder, clock) for place in range(len(fitted))
            ]
    return made, taught


def asked(plan: Plan, design: Design, trained: Mapping[str, Trained], taught: Mapping[str, Taught]) -> Found:
    """Asks every final model about test, once."""
    batch_size = plan.recipe.train.batch_size
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


def _trained(member: Member, chosen: Trained, shops: Sequence[Shop]) -> list[Fitted]:
    """One model a seed, each on the member's plan, or on its own draw."""
    if not member.draws:
        return stages.seeds(member.plan, chosen.arm, chosen.settings, shops, member.name)
    return [
        stages.seeds(draw.plan, draw.arm, chosen.settings, shop, member.name)[0]
        for draw, shop in zip(member.draws, shops, strict=True)
    ]


def _taught(name: str, design: Design, folder: Path, clock: Clock, reporter: Reporter, *, again: bool) -> Taught:
    """One teacher for all arms that listen to it; `again`: its guides were written for another one of its home."""
    tutor = design.tutors[name]
    home = tutor.home or name
    own = folder if name == TEACHER else folder / "teachers" / home
    with clock.stage("teacher"):
        raised, _shop = stages.teacher(tutor.plan, tutor.plan.shop(folder, reporter), own)
    stage = f"guide of {home}" if name != TEACHER else "guide"
    heard = _heard(
        raised, name, tutor.plan, design, own, clock=clock, stage="guides found" if again else stage, reporter=reporter
    )
    return replace(heard, labelling_s=clock.seconds[stage])


def _as_teacher(trained: Trained, place: int, design: Design, folder: Path, clock: Clock) -> Taught:
    """One model of an arm, as the teacher of the models of the same place in later arms."""
    member, fitted = trained.member, trained.fitted[place]
    own = folder / "teachers" / f"{file_name(member.name)}-seed{fitted.job.seed}"
    plan = from_seed(member.plan, fitted.job.seed, count=1)
    raised = student_as_teacher(plan, fitted)
    return _heard(raised, member.name, plan, design, own, clock=clock, stage="guide of students", reporter=Silent())


def _heard(
    raised: Raised, name: str, plan: Plan, design: Design, folder: Path, *, clock: Clock, stage: str, reporter: Reporter
) -> Taught:
    """A teacher as its arms hear it: it speaks once, into a guide, where that pays."""
    listeners = [(member, member.arm({})) for member in design.members if name in _tutors(member)]
    together = [each for each in listeners if not _more(each[1], plan)]
    hearing = replace(plan, arms=tuple(arm for _, arm in together), steps=_steps(together, plan))
    with clock.stage(stage):
        heard = hear(hearing, raised.speaker, folder, reporter)
    apart = {
        member.name: hear(replace(plan, arms=(arm,)), raised.speaker, folder, Silent())
        for member, arm in listeners
        if _more(arm, plan)
    }
    return Taught(raised, heard, apart, clock.seconds[stage])


def _tutors(member: Member) -> set[str | None]:
    return {draw.tutor for draw in member.draws} if member.draws else {member.tutor}


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


def _shops(
    member: Member,
    taught: Mapping[str, Taught],
    pupils: Mapping[str, Sequence[Taught]],
    folder: Path,
    reporter: Reporter,
) -> list[Shop]:
    """One a seed: each hears the member's teacher, or the model of its place among an earlier member's."""
    if member.draws:
        return [_shop(member, taught.get(draw.tutor or ""), folder, reporter) for draw in member.draws]
    count = max(1, member.plan.recipe.verdict.seeds)
    tutor = member.tutor or ""
    if tutor in pupils:
        return [_shop(member, each, folder, reporter) for each in pupils[tutor]]
    return [_shop(member, taught.get(tutor), folder, reporter)] * count


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
