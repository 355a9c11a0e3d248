"""The named flow, from a recipe to a proven student: the table of contents of Limbeck."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from limbeck import record as records
from limbeck.core import processes
from limbeck.core.progress import Reporter, Silent
from limbeck.core.runtime import applied
from limbeck.record import Fingerprints, Record, Tuning, Verdict
from limbeck.reporting import render
from limbeck.runs import stages, wording
from limbeck.runs.assemble import assemble
from limbeck.runs.clock import Clock
from limbeck.runs.fit import Fitted
from limbeck.runs.folder import claimed, finished_trainings
from limbeck.runs.growing import growth_of
from limbeck.runs.guided import Heard, check_guide, hear
from limbeck.runs.measured import Subject, model_records, notes_on_costs, student_subjects, teacher_subject
from limbeck.runs.plan import Plan, resolved_text
from limbeck.runs.rehearse import rehearse
from limbeck.runs.ship import ship
from limbeck.runs.teacher import Raised, notes_on_teacher
from limbeck.runs.terms import notes_on_terms
from limbeck.studies.verdict import CONDITIONS, CONDITIONS_ALONE, compare, corrected


def run(plan: Plan, out: Path, reporter: Reporter) -> Record:
    """Carries a plan out: teacher, tuning, students, measurement, verdict, export, report.

    Everything finished is kept, so that the same call after an interruption goes on where it was. Several processes
    train each model together; the main one does the rest, and speaks.

    Args:
        plan: checked.
        out: the run's folder.
        reporter: shows progress.

    Returns:
        The record; it and the report lie in the folder.

    Raises:
        InputError: the folder belongs to another recipe.
        RunError: the run failed; the same call goes on.
    """
    reporter = reporter if processes.is_main() else Silent()
    rehearse(plan)
    text, fingerprint = resolved_text(plan), plan.fingerprint()
    check_guide(plan)
    with claimed(out, recipe_text=text, recipe_fingerprint=fingerprint) as folder, applied(plan.runtime):
        clock = Clock(folder / "checkpoints" / "timing.json")
        for line in wording.opening(plan, folder, finished_trainings(folder)):
            reporter.say(line)
        with clock.stage("teacher"):
            raised, shop = stages.teacher(plan, plan.shop(folder, reporter), folder)
        with clock.stage("guide"):
            heard = hear(plan, raised.speaker, folder, reporter)
            shop = replace(shop, teacher=heard.source, teacher_fingerprint=heard.fingerprint)
        with clock.stage("tuning"):
            tunings = [stages.tuned(plan, arm, shop) for arm in plan.arms]
        reporter.say(wording.students_to_train(plan))
        with clock.stage("students"):
            fitted = [
                stages.seeds(plan, arm, tuning.chosen, shop) for arm, tuning in zip(plan.arms, tunings, strict=True)
            ]
        record = None
        if processes.is_main():
            record = _proven(
                plan, fingerprint, raised=raised, heard=heard, tunings=tunings, fitted=fitted, folder=folder,
                clock=clock, reporter=reporter,
            )  # fmt: skip
        processes.barrier()
    return record or records.read(folder)


def _proven(
    plan: Plan, fingerprint: str, *, raised: Raised, heard: Heard, tunings: list[Tuning], fitted: list[list[Fitted]],
    folder: Path, clock: Clock, reporter: Reporter,
) -> Record:  # fmt: skip
    """Measures, judges, exports and reports what was trained."""
    reporter.say("measuring quality, calibration, size and speed")
    with clock.stage("measuring"):
        subjects = _measured(plan, raised, fitted)
        models = model_records(subjects, plan.splits, plan.task, folder)
        verdicts = _verdicts(plan, subjects)
    prints = Fingerprints(data=plan.splits.fingerprint(), teacher=heard.fingerprint, recipe=fingerprint)
    record = assemble(
        plan, models=models, verdicts=verdicts, tunings=tunings, prints=prints,
        conditions=CONDITIONS_ALONE if plan.recipe.teacher.grows else CONDITIONS,
        folder=folder, more_notes=[heard.note, *notes_on_teacher(plan, raised), *notes_on_costs(subjects),
                    *notes_on_terms([each.history for each in fitted[0]], grows=plan.recipe.teacher.grows)],
    )  # fmt: skip
    reporter.say(f"exporting {', '.join(plan.recipe.export or ('onnx',))}, and comparing with the student")
    with clock.stage("export"):
        exports = ship(plan, fitted[0][0], record, folder)
    record = record.model_copy(update={"exports": exports, "timing_s": dict(clock.seconds)})
    records.write(record, folder)
    reporter.say("writing the report")
    with clock.stage("report"):
        render.write(folder)
    reporter.say(wording.times(clock.seconds))
    return record


def _measured(plan: Plan, raised: Raised, fitted: list[list[Fitted]]) -> list[Subject]:
    """Everybody is asked about test, once; the teacher first, then arm by arm."""
    batch_size = plan.recipe.train.batch_size
    subjects = []
    if raised.live is not None:
        subjects.append(teacher_subject(raised.live, raised.fitted, plan.splits, batch_size, plan.recipe.seed))
    for runs in fitted:
        subjects += student_subjects(runs, plan.splits, batch_size)
    return subjects


def _verdicts(plan: Plan, subjects: list[Subject]) -> list[Verdict]:
    """The student against everyone else, on test; the baseline first."""
    metric, target = plan.task.metric, plan.splits.test.labels
    growth = growth_of(plan.recipe)
    scores = {
        arm.role: np.stack([plan.task.scores(s.test, target)[metric.name] for s in subjects if s.role == arm.role])
        for arm in plan.arms
    }
    return corrected(
        [
            compare(
                scores["student"],
                scores[arm.role],
                higher_is_better=metric.higher_is_better,
                margin=plan.recipe.verdict.margin,
                metric=metric.name,
                percent=metric.percent,
                arm="student",
                against=arm.role,
                called={} if growth is None else growth.called,
            )
            for arm in plan.arms[1:]
        ]
    )
