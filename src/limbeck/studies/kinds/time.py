"""`time`: does a teacher make training shorter? Quality against steps, each point a run of its own length."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from limbeck.record import MetricRecord
from limbeck.reporting import numbers
from limbeck.runs.arms import Arm, comparison_arms
from limbeck.runs.plan import Plan
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.compared import against
from limbeck.studies.crossing import Crossing, crossing
from limbeck.studies.design import TEACHER, Design, Member, Options, Tutor, constant, settled
from limbeck.studies.found import Found
from limbeck.studies.record import ArmRecord, Finding, StudyRecord
from limbeck.studies.view import Figure, Table, View
from limbeck.studies.words import in_words

QUESTION = "Does a teacher make training shorter?"
CHANGES: Mapping[str, Any] = {}
SHARES = (1.0, 0.5, 0.25, 0.125)
"""Of the recipe's steps; the whole length first, since it is tuned and the others take its settings."""
BASELINE, STUDENT, WITH_COST = "no teacher", "student", "student, teacher and labelling included"
COLOURS = {BASELINE: "baseline", STUDENT: "student", WITH_COST: "teacher"}


def design(plan: Plan, options: Options) -> Design:
    """The student with and without a teacher, at several lengths, each with a schedule of that length."""
    del options
    members: list[Member] = []
    for line, arm in ((BASELINE, _baseline(plan)), (STUDENT, plan.arms[0])):
        tutor = None if line == BASELINE else TEACHER
        whole = f"{line}, {plan.steps:,} steps"
        for steps in dict.fromkeys(max(1, round(share * plan.steps)) for share in SHARES):
            said = "the student without a teacher" if line == BASELINE else "the student with a teacher"
            members.append(
                Member(
                    f"{line}, {steps:,} steps",
                    f"{said} after {steps:,} steps",
                    replace(plan, steps=steps),
                    constant(arm) if steps == plan.steps else settled(arm),
                    line=line,
                    at=steps,
                    after=None if steps == plan.steps else whole,
                    tutor=tutor,
                )
            )
    note = (
        "Every point is a run of its own, whose learning rate falls to its end; settings were tuned at the whole "
        "length and hold for all."
    )
    return Design(tuple(members), {TEACHER: Tutor("the teacher", plan)}, (note,))


def _baseline(plan: Plan) -> Arm:
    return comparison_arms(plan.recipe, plan.splits, len(plan.arms[0].candidates))[0]


def answer(found: Found) -> Answer:
    """Steps and seconds that the student needs for the quality that the baseline has in the end."""
    members = found.design.members
    students = sorted((m for m in members if m.line == STUDENT), key=lambda m: m.at or 0)
    baselines = sorted((m for m in members if m.line == BASELINE), key=lambda m: m.at or 0)
    last = baselines[-1]
    better = found.plan.task.metric.higher_is_better
    to_last = against(found, [m.name for m in students], last.name)
    place = crossing([float(m.at or 1) for m in students], to_last, higher_is_better=better)
    steps, taught = last.plan.steps, found.taught[TEACHER]
    own = steps * _pace(found, [last])
    cost = taught.labelling_s + (taught.raised.fitted.seconds if taught.raised.fitted is not None else 0.0)
    sentences = [_steps_said(place, steps)]
    findings = [
        Finding(
            name="steps to the baseline's final quality", value=place.at,
            ci95=None if place.low is None or place.high is None else (place.low, place.high), unit="steps",
            sentence=f"Steps to the baseline's final quality: {place.words(' steps')}; the baseline made {steps:,}.",
        )
    ]  # fmt: skip
    if place.at is not None:
        seconds = place.at * _pace(found, students)
        sentences.append(
            f"In seconds: {seconds:.3g} against the baseline's {own:.3g} where the teacher exists, and "
            f"{seconds + cost:.3g} with its training and labelling."
        )
        findings += [
            Finding(name="seconds, teacher there", value=seconds, unit="s", sentence=f"{seconds:.3g} s of training."),
            Finding(
                name="seconds, teacher included", value=seconds + cost, unit="s",
                sentence=f"{seconds + cost:.3g} s with the teacher's training and labelling ({cost:.3g} s).",
            ),
        ]  # fmt: skip
    pairs = []
    for student, baseline in zip(students, baselines, strict=True):
        pairs += against(found, [student.name], baseline.name)
    note = (
        "Seconds are steps times the time of a step of the fastest model, since a machine that does other work only "
        "makes them longer; the teacher's and the guide's are by the clock. A live teacher's time is in its students' "
        "seconds, a guide's is told apart."
    )
    return Answer(tuple(sentences), (*to_last, *pairs), tuple(findings), (note,))


def _pace(found: Found, members: Sequence[Member]) -> float:
    """Seconds a step of the fastest model."""
    fitted = [each for member in members for each in found.trained[member.name].fitted]
    return min(each.seconds / max(1, each.steps) for each in fitted)


def _steps_said(place: Crossing, steps: int) -> str:
    if place.at is None:
        return f"Within {steps:,} steps the student does not reach what it reaches without a teacher."
    least = "at least " if place.at <= place.first else ""
    return (
        f"The student reaches after {place.words(' steps')} what it reaches without a teacher after {steps:,}: "
        f"{least}{steps / place.at:.2g} times as fast."
    )


def view(study: StudyRecord) -> View:
    """Quality over steps, over seconds, and the table."""
    metric, teacher = study.metric, study.teachers[0]
    cost = (teacher.train_s or 0.0) + teacher.labelling_s
    by_steps = [_row(arm, arm.line, float(arm.steps)) for arm in study.arms]
    by_time = [_row(arm, arm.line, _seconds(arm)) for arm in study.arms]
    by_time += [_row(arm, WITH_COST, _seconds(arm) + cost) for arm in study.arms if arm.line == STUDENT]
    last = max((arm for arm in study.arms if arm.line == BASELINE), key=lambda arm: arm.steps)
    sides = {line: COLOURS[line] for line in (BASELINE, STUDENT)}
    level = last.quality.value
    figures = [
        Figure(
            "Quality over steps", "Each dot is a run of its own, annealed to its own length; bars are 95% intervals. "
            "Dashed: the student without a teacher at full length.",
            charts.lines(metric, x="optimiser steps", colours=sides, log=True, level=level), by_steps,
            "Lines of quality over steps; the same numbers stand in the table.", 300,
        ),
        Figure(
            "Quality over seconds", "The same runs over the time they took, with and without the teacher's training "
            "and the labelling.", charts.lines(metric, x="seconds", colours=COLOURS, log=True, level=level), by_time,
            "Lines of quality over seconds.", 300,
        ),
    ]  # fmt: skip
    return View(figures, [_table(study, metric, last)])


def _table(study: StudyRecord, metric: MetricRecord, last: ArmRecord) -> Table:
    pairs = {(each.arm, each.against): each for each in study.comparisons}
    base = {arm.steps: arm.name for arm in study.arms if arm.line == BASELINE}
    rows = [
        [
            arm.name, cells.estimate(arm.quality, metric), numbers.duration_s(_seconds(arm)),
            cells.difference(pairs.get((arm.name, base[arm.steps])), metric),
            cells.difference(pairs.get((arm.name, last.name)), metric), in_words(arm.settings),
        ]
        for arm in sorted(study.arms, key=lambda arm: (arm.line, arm.steps))
    ]  # fmt: skip
    head = ["Arm", f"{metric.name.capitalize()} on test", "Training", "Against no teacher, same steps",
            "Against no teacher, all steps", "Settings"]  # fmt: skip
    return Table("All lengths", "Means over seeds; differences with 95% intervals.", head, rows)


def _seconds(arm: ArmRecord) -> float:
    return arm.steps * arm.step_ms / 1000


def _row(arm: ArmRecord, line: str, x: float) -> dict[str, Any]:
    low, high = cells.ends(arm.quality)
    return {"arm": arm.name, "line": line, "x": x, "value": arm.quality.value, "low": low, "high": high}
