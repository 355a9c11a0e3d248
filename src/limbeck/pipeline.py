"""The named flow, from a recipe to a proven student: the table of contents of Limbeck."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from limbeck import record as records
from limbeck.core.progress import Reporter
from limbeck.record import Fingerprints, Record, Tuning, Verdict
from limbeck.reporting import render
from limbeck.runs.assemble import assemble
from limbeck.runs.fit import Fitted, Shop
from limbeck.runs.folder import claimed
from limbeck.runs.measured import Subject, model_records, student_subjects, teacher_subject
from limbeck.runs.plan import Plan, resolved_text
from limbeck.runs.ship import ship
from limbeck.runs.teacher import raise_teacher, require_quality
from limbeck.runs.tune import tune
from limbeck.studies.verdict import CONDITIONS, compare, corrected


def run(plan: Plan, out: Path, reporter: Reporter) -> Record:
    """Carries a plan out: teacher, tuning, students, measurement, verdict, export, report.

    Everything finished is kept, so that the same call after an interruption goes on where it was.

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
    clock = _Clock(reporter)
    with claimed(out, recipe_text=resolved_text(plan), recipe_fingerprint=plan.fingerprint()) as folder:
        shop = plan.shop(folder, reporter)
        with clock.stage("teacher"):
            teacher, taught = raise_teacher(plan.recipe, plan.teacher, plan.splits, shop, plan.settings)
            minimum = plan.recipe.teacher.min_quality
            known = require_quality(teacher, plan.splits, plan.task, minimum, shop.batch_size)
            reporter.say(f"teacher: {plan.task.metric.name} {known.value:.4f} on validation")
            shop = replace(shop, teacher=teacher)
        with clock.stage("tuning"):
            tunings = [_tuned(plan, place, shop) for place in range(len(plan.arms))]
        with clock.stage("students"):
            fitted = [_seeds(plan, place, tunings[place], shop) for place in range(len(plan.arms))]
        with clock.stage("measuring"):
            subjects = [teacher_subject(teacher, taught, plan.splits, shop.batch_size, plan.recipe.seed)]
            for runs in fitted:
                subjects += student_subjects(runs, plan.splits, shop.batch_size)
            models = model_records(subjects, plan.splits, plan.task, folder)
        verdicts = _verdicts(plan, subjects)
        prints = Fingerprints(
            data=plan.splits.fingerprint(), teacher=teacher.fingerprint(), recipe=plan.fingerprint()
        )  # fmt: skip
        record = assemble(
            plan, models=models, verdicts=verdicts, tunings=tunings, prints=prints, conditions=CONDITIONS, folder=folder
        )
        with clock.stage("export"):
            exports = ship(plan, fitted[0][0], record, folder)
        record = record.model_copy(update={"exports": exports, "timing_s": clock.seconds})
        records.write(record, folder)
        with clock.stage("report"):
            render.write(folder)
    return record


def _tuned(plan: Plan, place: int, shop: Shop) -> Tuning:
    arm, how = plan.arms[place], plan.recipe.tune
    chosen = tune(
        arm,
        lambda settings, steps: plan.trained(arm, settings, shop=shop, seed=plan.recipe.seed, steps=steps),
        task=plan.task,
        steps=plan.steps,
        short_share=how.short_share,
        finalists=how.finalists,
    )
    shop.reporter.say(chosen.sentence)
    return chosen


def _seeds(plan: Plan, place: int, tuning: Tuning, shop: Shop) -> list[Fitted]:
    arm, first = plan.arms[place], plan.recipe.seed
    return [
        plan.trained(arm, tuning.chosen, shop=shop, seed=first + number, steps=plan.steps)
        for number in range(max(1, plan.recipe.verdict.seeds))
    ]


def _verdicts(plan: Plan, subjects: list[Subject]) -> list[Verdict]:
    """The student against everyone else, on test; the baseline first."""
    metric, target = plan.task.metric, plan.splits.test.labels
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
            )
            for arm in plan.arms[1:]
        ]
    )


class _Clock:
    """Seconds by stage, as they pass in this process; trainings finished before are not counted again."""

    def __init__(self, reporter: Reporter) -> None:
        self.seconds: dict[str, float] = {}
        self.reporter = reporter

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 3)
        self.reporter.say(f"{name}: {self.seconds[name]:.1f} s")
