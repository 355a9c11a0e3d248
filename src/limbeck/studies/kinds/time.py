"""`time`: does a teacher make training shorter? Quality against steps, each point a run of its own length.

Beside the student that hears its teacher throughout stands one that hears it early only, which is how Blakeney et al.
2022 (arXiv 2211.00683) came to "up to 1.96 times as fast".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from limbeck.record import MetricRecord
from limbeck.reporting import numbers
from limbeck.runs.arms import Arm, comparison_arms
from limbeck.runs.fit import Settings
from limbeck.runs.plan import Plan
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.compared import paired
from limbeck.studies.crossing import Crossing, crossing
from limbeck.studies.design import TEACHER, Design, Member, Options, Tutor, constant, settled
from limbeck.studies.found import Found
from limbeck.studies.record import ArmRecord, Comparison, Finding, StudyRecord
from limbeck.studies.scheduled import constant_weights, first, listening, scheduled
from limbeck.studies.view import Figure, Table, View
from limbeck.studies.words import in_words, points

QUESTION = "Does a teacher make training shorter?"
TAKES: tuple[str, ...] = ()
CHANGES: Mapping[str, Any] = {}
SHARES = (1.0, 0.5, 0.25, 0.125)
"""Of the recipe's steps; the whole length first, since it is tuned and the others take its settings."""
EARLY_SHARE = 0.3
BASELINE, STUDENT, WITH_COST = "no teacher", "student", "student, teacher and labelling included"
EARLY = f"teacher in the first {EARLY_SHARE:.0%}"
COLOURS = {BASELINE: "baseline", STUDENT: "student", EARLY: "good", WITH_COST: "teacher"}
APART = (
    "Every point is a run of its own, whose learning rate falls to its end; settings were tuned at the whole length "
    "and hold for all."
)
ABOUT = {
    BASELINE: "the student without a teacher", STUDENT: "the student with a teacher",
    EARLY: f"the student with a {EARLY} of training",
}  # fmt: skip


def design(plan: Plan, options: Options) -> Design:
    """The student with and without a teacher, at several lengths, each with a schedule of that length."""
    del options
    members: list[Member] = []
    notes = [APART]
    student = listening(plan.arms[0], "time")
    baseline = comparison_arms(plan.recipe, plan.splits, len(student.candidates))[0]
    lines: list[tuple[str, Callable[[Settings], Arm], str | None]] = [
        (BASELINE, constant(baseline), None), (STUDENT, constant(student), None),
    ]  # fmt: skip
    if constant_weights(student) and (plan.splits.transfer.labels >= 0).all():
        lines.append((EARLY, settled(scheduled(student, first(EARLY_SHARE))), _named(STUDENT, plan.steps)))
    else:
        notes.append(
            "A teacher in the first part of training alone, and labels after it, needs labels for all examples, one "
            "stage, and weights that are plain numbers; left out."
        )
    for line, arm, after in lines:
        for steps in dict.fromkeys(max(1, round(share * plan.steps)) for share in SHARES):
            whole = steps == plan.steps
            members.append(
                Member(
                    _named(line, steps),
                    f"{ABOUT[line]} after {steps:,} steps",
                    replace(plan, steps=steps),
                    arm if whole else settled(arm({})),
                    line=line,
                    at=steps,
                    after=after if whole else after or _named(line, plan.steps),
                    tutor=None if line == BASELINE else TEACHER,
                )
            )
    return Design(tuple(members), {TEACHER: Tutor("the teacher", plan)}, tuple(notes))


def _named(line: str, steps: int) -> str:
    return f"{line}, {steps:,} steps"


def answer(found: Found) -> Answer:
    """Steps and seconds that each student needs for the quality that the baseline has in the end."""
    by_line = {line: _at_each_length(found, line) for line in ABOUT}
    baselines, taught = by_line.pop(BASELINE), {line: each for line, each in by_line.items() if each}
    last = baselines[-1]
    lengths = [(line, member) for line, members in taught.items() for member in members]
    to_last = [(member.name, last.name) for _, member in lengths]
    same = {member.at: member.name for member in baselines}
    to_same = [(member.name, same[member.at]) for _, member in lengths if same[member.at] != last.name]
    comparisons = [*paired(found, to_last), *paired(found, to_same)]
    sentences: list[str] = []
    findings: list[Finding] = []
    for line, members in taught.items():
        names = {member.name for member in members}
        own = [each for each in comparisons if each.arm in names and each.against == last.name]
        said, found_there = _line(found, line, members, own, last)
        sentences += said
        findings += found_there
    note = (
        "Seconds are steps times the time of a step of the fastest model, since a machine that does other work only "
        "makes them longer; the teacher's and the guide's are by the clock. A live teacher's time is in its students' "
        "seconds, a guide's is told apart."
    )
    return Answer(tuple(sentences), tuple(comparisons), tuple(findings), (note,))


def _at_each_length(found: Found, line: str) -> list[Member]:
    return sorted((m for m in found.design.members if m.line == line), key=lambda m: m.at or 0)


def _line(
    found: Found, line: str, members: Sequence[Member], to_last: Sequence[Comparison], last: Member
) -> tuple[list[str], list[Finding]]:
    """What one line of students is worth: sentences, and the numbers behind them."""
    metric, margin = found.plan.task.metric, found.plan.recipe.verdict.margin
    place = crossing(
        [float(m.at or 1) for m in members], to_last, higher_is_better=metric.higher_is_better, margin=margin
    )
    steps, heard = last.plan.steps, found.taught[TEACHER]
    shown = points(margin, MetricRecord(**asdict(metric)))
    sentences = [f"{_steps_said(line, place, steps)}; {place.enough_words(' steps', shown)}."]
    findings = [
        Finding(
            name=f"steps to the baseline's final quality: {line}", value=place.at,
            ci95=None if place.low is None or place.high is None else (place.low, place.high),
            bounds=place.bounds(steps), unit="steps",
            sentence=f"Steps to the baseline's final quality, {line}: {place.words(' steps')}; the baseline made "
            f"{steps:,}; {place.enough_words(' steps', shown)}.",
        )
    ]  # fmt: skip
    if place.at is None:
        return sentences, findings
    cost = heard.labelling_s + (heard.raised.fitted.seconds if heard.raised.fitted is not None else 0.0)
    own, seconds = steps * _pace(found, [last]), place.at * _pace(found, members)
    sentences.append(
        f"In seconds: {seconds:.3g} against the baseline's {own:.3g} where the teacher exists, and "
        f"{seconds + cost:.3g} with its training and labelling."
    )
    findings += [
        Finding(
            name=f"seconds, teacher there: {line}", value=seconds, unit="s",
            sentence=f"{seconds:.3g} s of training, {line}; the baseline's is {own:.3g} s.",
        ),
        Finding(
            name=f"seconds, teacher included: {line}", value=seconds + cost, unit="s",
            sentence=f"{seconds + cost:.3g} s with the teacher's training and labelling ({cost:.3g} s), {line}.",
        ),
    ]  # fmt: skip
    return sentences, findings


def _pace(found: Found, members: Sequence[Member]) -> float:
    """Seconds a step of the fastest model."""
    fitted = [each for member in members for each in found.trained[member.name].fitted]
    return min(each.seconds / max(1, each.steps) for each in fitted)


def _steps_said(line: str, place: Crossing, steps: int) -> str:
    who = "The student" if line == STUDENT else f"With a {line} of training the student"
    if place.at is None:
        return (
            f"{who} does not reach within {steps:,} steps what it reaches without a teacher ({place.words(' steps')})"
        )
    least = "at least " if place.at <= place.first else ""
    return (
        f"{who} reaches after {place.words(' steps')} what it reaches without a teacher after {steps:,} "
        f"({least}{steps / place.at:.2g} times as fast)"
    )


def view(study: StudyRecord) -> View:
    """Quality over steps, over seconds, and the table."""
    metric, teacher = study.metric, study.teachers[0]
    cost = (teacher.train_s or 0.0) + teacher.labelling_s
    by_steps = [_row(arm, arm.line, float(arm.steps)) for arm in study.arms]
    by_time = [_row(arm, arm.line, _seconds(arm)) for arm in study.arms]
    by_time += [_row(arm, WITH_COST, _seconds(arm) + cost) for arm in study.arms if arm.line == STUDENT]
    last = max((arm for arm in study.arms if arm.line == BASELINE), key=lambda arm: arm.steps)
    there = {arm.line for arm in study.arms}
    sides = {line: colour for line, colour in COLOURS.items() if line in there}
    timed = {line: colour for line, colour in COLOURS.items() if line in there or line == WITH_COST}
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
            "and the labelling.",
            charts.lines(metric, x="seconds", colours=timed, log=True, level=level, apart=0), by_time,
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
