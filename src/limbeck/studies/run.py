"""The named flow of a study: design, training, test once, answer, record, page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from limbeck.core import processes
from limbeck.core.identity import fingerprint
from limbeck.core.machine import machine
from limbeck.core.progress import Reporter, Silent
from limbeck.core.runtime import applied
from limbeck.core.version import __version__
from limbeck.measuring.fidelity import fidelity
from limbeck.measuring.quality import quality
from limbeck.record import FileRef, Machine, MetricRecord
from limbeck.runs import wording
from limbeck.runs.assemble import data_record
from limbeck.runs.clock import Clock
from limbeck.runs.fit import Fitted
from limbeck.runs.folder import claimed, finished_trainings
from limbeck.runs.guided import check_guide
from limbeck.runs.plan import Plan, resolved_text
from limbeck.runs.predictions import save_arrays, save_history
from limbeck.runs.teacher import notes_on_teacher
from limbeck.studies import page
from limbeck.studies import record as records
from limbeck.studies.conduct import asked, conduct
from limbeck.studies.design import TEACHER, Options
from limbeck.studies.found import Found, mean
from limbeck.studies.kinds import named
from limbeck.studies.on_errors import on_errors
from limbeck.studies.record import ArmRecord, SeedRecord, StudyRecord, TeacherRecord
from limbeck.studies.verdict import CONDITIONS, FEWEST_SEEDS
from limbeck.studies.words import file_name
from limbeck.task import Array


def run(plan: Plan, kind: str, options: Options, out: Path, reporter: Reporter) -> StudyRecord:
    """Carries a study out, or goes on where it was interrupted.

    More seeds or more methods in the same folder train only what is not there yet.

    Args:
        plan: of the recipe, checked.
        kind: of study.
        options: what is asked beside the recipe.
        out: the study's folder.
        reporter: shows progress.

    Returns:
        The record; it and the page lie in the folder.

    Raises:
        InputError: the study does not fit the recipe, or the folder belongs to another one.
        RunError: a training failed or was interrupted; the same call goes on.
    """
    reporter = reporter if processes.is_main() else Silent()
    how = named(kind)
    design = how.design(plan, options)
    check_guide(plan)
    owner = _owner(plan, kind)
    with claimed(out, recipe_text=resolved_text(plan), recipe_fingerprint=owner) as folder, applied(plan.runtime):
        clock = Clock(folder / "checkpoints" / "timing.json")
        for line in wording.opening(plan, folder, finished_trainings(folder)):
            reporter.say(line)
        trained, taught = conduct(design, folder, clock, reporter)
        study = None
        if processes.is_main():
            reporter.say("measuring quality and fidelity on test")
            with clock.stage("measuring"):
                found = asked(plan, design, trained, taught)
                study = _record(found, kind, owner, folder, clock.seconds)
            study = study.model_copy(update={"timing_s": dict(clock.seconds)})
            records.write(study, folder)
            page.write(folder)
            reporter.say(wording.times(clock.seconds))
        processes.barrier()
    return study or records.read(out)


def _owner(plan: Plan, kind: str) -> str:
    """What a folder's study must share: the recipe, but not how many seeds it asks for."""
    verdict = plan.recipe.verdict.model_copy(update={"seeds": 0})
    recipe = plan.recipe.model_copy(update={"verdict": verdict})
    return fingerprint(["study", kind, replace(plan, recipe=recipe).fingerprint()])


def _record(found: Found, kind: str, owner: str, folder: Path, seconds: Mapping[str, float]) -> StudyRecord:
    plan, splits, metric = found.plan, found.plan.splits, found.plan.task.metric
    how = named(kind)
    answer = how.answer(found)
    main = found.taught.get(TEACHER)
    notes = [
        CONDITIONS, *_budget(found), *found.design.notes, *answer.notes,
        *(notes_on_teacher(plan, main.raised) if main is not None else []),
        *wording.notes_on(plan, None),
    ]  # fmt: skip
    return StudyRecord(
        limbeck_version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        kind=kind,
        name=plan.recipe.name,
        question=how.QUESTION,
        answer=list(answer.sentences),
        machine=Machine.model_validate(machine()),
        fingerprints={"data": splits.fingerprint(), "recipe": owner},
        task=plan.task.name,
        classes=list(splits.classes),
        metric=MetricRecord(**asdict(metric)),
        margin=plan.recipe.verdict.margin,
        data=data_record(splits),
        teachers=[_teacher(found, name, folder) for name in found.taught],
        arms=[_arm(found, name, folder) for name in found.trained],
        comparisons=list(answer.comparisons),
        findings=list(answer.findings),
        notes=notes,
        timing_s=dict(seconds),
        files={"test": save_arrays(folder, "predictions/test", ids=splits.test.ids, target=splits.test.labels)},
    )


def _budget(found: Found) -> list[str]:
    how, verdict = found.plan.recipe.tune, found.plan.recipe.verdict
    few = f"{verdict.seeds} seed{'s' if verdict.seeds > 1 else ''} of each arm settle nothing; take at least 3."
    notes = [few] if verdict.seeds < FEWEST_SEEDS else []
    if not any(each.trials for each in found.trained.values()):
        return [*notes, "Nothing was tuned: every arm has the first, or the only one, of its settings."]
    told = (
        f"Equal budgets: every tuned arm may choose among at most {how.trials} settings, by runs of "
        f"{100 * how.short_share:g}% of the steps and {how.finalists} at full length, on validation; test was read "
        "once, by the final models."
    )
    return [*notes, told]


def _teacher(found: Found, name: str, folder: Path) -> TeacherRecord:
    taught, tutor = found.taught[name], found.design.tutors[name]
    task, splits = found.plan.task, found.plan.splits
    logits, live, fitted = found.teachers.get(name), taught.raised.live, taught.raised.fitted
    return TeacherRecord(
        name=name,
        about=tutor.about,
        quality=None if logits is None else quality(task, logits, splits.test.labels)[task.metric.name],
        params=None if live is None else sum(p.numel() for p in live.module.parameters()),
        labelled=None if fitted is None else int((fitted.job.source.labels >= 0).sum()),
        train_s=None if fitted is None else fitted.seconds,
        labelling_s=taught.labelling_s,
        note=taught.heard.note,
        predictions=None if logits is None else _saved(folder, f"teachers/{name}", logits),
    )


def _saved(folder: Path, name: str, logits: Array) -> FileRef:
    return save_arrays(folder, f"predictions/{name}", logits=logits.astype("float32"))


def _arm(found: Found, name: str, folder: Path) -> ArmRecord:
    trained = found.trained[name]
    member, source = trained.member, trained.arm.source(trained.settings)
    return ArmRecord(
        name=name,
        about=member.about,
        line=member.line or name,
        at=member.at,
        tutor=member.tutor,
        objective=str(trained.arm.objective(trained.settings)),
        settings=dict(trained.settings),
        trials=list(trained.trials),
        quality=mean(found.scores(name)),
        steps=member.plan.steps,
        step_ms=min(1000 * fitted.seconds / max(1, fitted.steps) for fitted in trained.fitted),
        labelled=int((source.labels >= 0).sum()),
        examples=len(source),
        curve=_curve(trained.fitted, f"val/{found.plan.task.metric.name}"),
        seeds=[_seed(found, name, place, fitted, folder) for place, fitted in enumerate(trained.fitted)],
    )


def _curve(fitted: Sequence[Fitted], key: str) -> list[tuple[int, float]]:
    """The mean over seeds at the steps at which all of them were looked at."""
    seeds = [{row["step"]: row["values"][key] for row in each.history if key in row["values"]} for each in fitted]
    shared = sorted(set.intersection(*(set(each) for each in seeds)))
    return [(step, fmean(each[step] for each in seeds)) for step in shared]


def _seed(found: Found, name: str, place: int, fitted: Fitted, folder: Path) -> SeedRecord:
    task, splits = found.plan.task, found.plan.splits
    logits, tutor = found.test[name][place], found.trained[name].member.tutor_of(place) or TEACHER
    pupil = tutor in found.design.pupils()
    teacher = found.test[tutor][place] if pupil else found.teachers.get(tutor)
    faithful = None if teacher is None else fidelity(task, logits, teacher, splits.test.labels, None)
    file = f"{file_name(name)}-seed{fitted.job.seed}"
    return SeedRecord(
        seed=fitted.job.seed,
        quality=quality(task, logits, splits.test.labels)[task.metric.name],
        validation=fitted.validation[task.metric.name],
        agreement=None if faithful is None or faithful.agreement is None else faithful.agreement.value,
        kl=None if faithful is None or faithful.kl is None else faithful.kl.value,
        tutor=None if teacher is None else tutor,
        on_errors=None if teacher is None else on_errors(task, logits, teacher, splits.test.labels),
        steps=fitted.steps,
        kept_step=fitted.kept,
        train_s=fitted.seconds,
        predictions=_saved(folder, file, logits),
        history=save_history(folder, f"history/{file}", fitted.history),
    )
