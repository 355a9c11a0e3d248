"""`data`: how many labels does a teacher replace? Quality against the share of labels that the student may see."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from math import ceil
from typing import Any, TypeVar

import numpy as np

from limbeck.data.split import keep_labels
from limbeck.data.subset import Subset, without_labels
from limbeck.errors import RecipeError
from limbeck.recipe.teachers import OneTeacher, Teacher
from limbeck.record import MetricRecord
from limbeck.runs.arms import Arm, comparison_arms, student_arm
from limbeck.runs.plan import Plan
from limbeck.runs.splits import Splits
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.compared import paired
from limbeck.studies.crossing import crossing
from limbeck.studies.design import TEACHER, Design, Draw, Member, Options, Tutor, constant, from_seed
from limbeck.studies.found import Found
from limbeck.studies.record import Comparison, Finding, StudyRecord
from limbeck.studies.scheduled import listening
from limbeck.studies.view import Figure, Table, View
from limbeck.studies.words import in_words, points, share

QUESTION = "How many labels does a teacher replace?"
TAKES: tuple[str, ...] = ("shares",)
CHANGES = {"data.keep_labels": 1.0}
"""Shares are of all labels; validation is split off first and is the same for all of them."""
SHARES = (0.01, 0.03, 0.1, 0.3, 1.0)
BASELINE, ALL, KEPT = "no teacher", "teacher of all labels", "teacher of the same labels"
_T = TypeVar("_T", bound=OneTeacher)
COLOURS = {BASELINE: "baseline", ALL: "student", KEPT: "teacher-labels"}


def design(plan: Plan, options: Options) -> Design:
    """At each share: no teacher, a teacher of all labels, and one that saw no more labels than the student."""
    members: list[Member] = []
    tutors = {TEACHER: Tutor("the teacher of all labels", plan)}
    seen: set[int] = set()
    own = plan.recipe.teacher.learns is not None
    notes = ["Which labels are kept is drawn anew for each seed, and with them the teacher that saw no others."]
    if not own:
        notes = ["Which labels are kept is drawn anew for each seed.",
                 "The teacher exists already, so there is none that saw the student's labels only."]  # fmt: skip
    if not listening(plan.arms[0], "data").needs().labels:
        notes.append(
            "The student's objective hears the teacher alone, so with a teacher of all labels it is the same student "
            "at every share; a hard-labels term would hear the student's own."
        )
    for part in sorted(options.shares or SHARES):
        if not 0 < part <= 1:
            raise RecipeError(f"study: a share of labels is above 0 and at most 1 (1 is 100%), got {part:g}")
        plans = _drawn(plan, part)
        labels = len(plans[0].splits.labelled)
        if labels in seen:
            notes.append(f"{share(part)} of the labels are as many as a smaller share (one a class is kept); left out.")
            continue
        seen.add(labels)
        said = f"with {share(part)} of the labels"
        members += [
            _member(plans, BASELINE, f"the student without a teacher, {said}", part, [None] * len(plans)),
            _member(plans, ALL, f"the student {said} and a teacher of all", part, [TEACHER] * len(plans)),
        ]
        if own and part < 1:
            names = [f"kept-{100 * part:g}-{number}" for number in range(1, len(plans) + 1)]
            for place, (name, here) in enumerate(zip(names, plans, strict=True)):
                taught = _teacher_of(here, len(plan.splits.teacher), (plan.recipe.seed + place) % 2**32)
                tutors[name] = Tutor(f"a teacher of {share(part)} of the labels", taught)
            members.append(_member(plans, KEPT, f"the student {said} and a teacher of the same", part, names))
    return Design(tuple(members), tutors, tuple(notes))


def _drawn(plan: Plan, part: float) -> list[Plan]:
    """One plan a seed, each with a share of the labels drawn for it; what a smaller share keeps, a larger keeps too."""
    count = 1 if part == 1 else max(1, plan.recipe.verdict.seeds)
    splits = [_with_share(plan.splits, part, plan.recipe.seed + place) for place in range(count)]
    seeds = range(max(1, plan.recipe.verdict.seeds))
    return [replace(from_seed(plan, plan.first_seed + place, count=1), splits=splits[place % count]) for place in seeds]


def _member(plans: Sequence[Plan], line: str, about: str, part: float, tutors: Sequence[str | None]) -> Member:
    """One line's arm at a share, with a draw a seed."""
    arms = [_arm(plan, line) for plan in plans]
    draws = tuple(Draw(*each) for each in zip(plans, arms, tutors, strict=True))
    return Member(
        f"{line}, {share(part)}", about, plans[0], constant(arms[0]), line=line, at=100 * part, tutor=tutors[0],
        draws=draws,
    )  # fmt: skip


def _arm(plan: Plan, line: str) -> Arm:
    student = listening(student_arm(plan.recipe, plan.given, plan.splits), "data")
    if line == BASELINE:
        return comparison_arms(plan.recipe, plan.splits, len(student.candidates))[0]
    return student


def _with_share(splits: Splits, part: float, seed: int) -> Splits:
    """The same examples with fewer labels; what a smaller share keeps, a larger one keeps too."""
    kept = keep_labels(splits.transfer.labels, part, seed)
    labelled = Subset(splits.transfer, np.flatnonzero(kept))
    return replace(
        splits, teacher=labelled, labelled=labelled, transfer=without_labels(splits.transfer, np.flatnonzero(~kept))
    )


def _teacher_of(plan: Plan, whole: int, seed: int) -> Plan:
    """A teacher of fewer labels makes as many steps as that of all, so that it is not worse for want of training.

    Args:
        plan: with the labels that are left.
        whole: examples that the teacher of all labels learns from.
        seed: of the teacher's own weights and batches.
    """
    times = whole / len(plan.splits.labelled)
    teacher = _longer(plan.recipe.teacher, times).model_copy(update={"min_quality": None})
    return replace(plan, recipe=plan.recipe.model_copy(update={"teacher": teacher, "seed": seed}))


def _longer(teacher: _T, times: float) -> _T:
    """With so many times the epochs, each of several too."""
    changes: dict[str, Any] = {}
    for key in ("train", "adapt"):
        how = getattr(teacher, key)
        if how is not None:
            changes[key] = how.model_copy(update={"epochs": ceil(times * how.epochs)})
    if isinstance(teacher, Teacher) and teacher.ensemble is not None:
        changes["ensemble"] = tuple(_longer(each, times) for each in teacher.ensemble)
    return teacher.model_copy(update=changes)


def answer(found: Found) -> Answer:
    """The share at which a student with a teacher equals the one without on all labels."""
    members = found.design.members
    last = max((m for m in members if m.line == BASELINE), key=lambda m: m.at or 0)
    base = {m.at: m.name for m in members if m.line == BASELINE}
    taught = [m for m in members if m.line != BASELINE]
    to_same = [(m.name, base[m.at]) for m in taught if base[m.at] != last.name]
    comparisons = [*paired(found, [(m.name, last.name) for m in taught]), *paired(found, to_same)]
    findings, sentences = [], []
    for line in (ALL, KEPT):
        arms = sorted((m for m in taught if m.line == line), key=lambda m: m.at or 0)
        if arms:
            to_last = {each.arm: each for each in comparisons if each.against == last.name}
            sentence, finding = _replaced(found, arms, [to_last[m.name] for m in arms], last)
            sentences.append(sentence)
            findings.append(finding)
    note = (
        "Validation is as large for every share, so that the choice of settings does not blur the answer; whoever has "
        "few labels has fewer to choose on. All students make as many steps; those with a teacher also learn from the "
        "examples without labels."
    )
    return Answer(tuple(sentences), tuple(comparisons), tuple(findings), (note,))


def _replaced(found: Found, arms: Sequence[Member], made: Sequence[Comparison], last: Member) -> tuple[str, Finding]:
    """Where one line equals the student without a teacher on all labels."""
    metric, margin = found.plan.task.metric, found.plan.recipe.verdict.margin
    place = crossing([m.at or 0 for m in arms], made, higher_is_better=metric.higher_is_better, margin=margin)
    who, end, unit = f"a student with a {arms[0].line}", f"{last.at:g}% of the labels", "% of the labels"
    said, enough = place.words(unit), place.enough_words(unit, points(margin, MetricRecord(**asdict(metric))))
    if place.at is None:
        sentence = f"The mean of {who} does not equal that of one without a teacher on {end}: {said}; {enough}."
    else:
        sentence = f"{who[0].upper()}{who[1:]} equals one without a teacher on {end} from {said}; {enough}."
    finding = Finding(
        name=f"share that equals the baseline: {arms[0].line}",
        value=place.at,
        ci95=None if place.low is None or place.high is None else (place.low, place.high),
        bounds=place.bounds(last.at or 0),
        unit=unit,
        sentence=f"Share that equals the baseline on {end}, {arms[0].line}: {said}; {enough}.",
    )
    return sentence, finding


def view(study: StudyRecord) -> View:
    """Quality over the share of labels, and the table."""
    metric = study.metric
    rows: list[dict[str, Any]] = []
    for arm in study.arms:
        low, high = cells.ends(arm.quality)
        row = {"arm": arm.name, "line": arm.line, "x": arm.at, "value": arm.quality.value, "low": low, "high": high}
        rows.append(row)
        if arm.line == ALL and arm.at == 100 and any(other.line == KEPT for other in study.arms):
            rows.append(row | {"line": KEPT})
    there = {line: colour for line, colour in COLOURS.items() if any(row["line"] == line for row in rows)}
    last = max((arm for arm in study.arms if arm.line == BASELINE), key=lambda arm: arm.at or 0)
    figure = Figure(
        "Quality over the share of labels",
        "Means over seeds with 95% intervals. Dashed: the student without a teacher, on all labels. With all labels, "
        "both kinds of teacher are the same one.",
        charts.lines(metric, x="share of the labels, %", colours=there, log=True, level=last.quality.value),
        rows,
        "Lines of quality over the share of labels; the same numbers stand in the table.",
        300,
    )
    pairs = {(each.arm, each.against): each for each in study.comparisons}
    base = {arm.at: arm.name for arm in study.arms if arm.line == BASELINE}
    table = [
        [
            arm.name, f"{arm.labelled:,}", cells.estimate(arm.quality, metric),
            cells.difference(pairs.get((arm.name, base[arm.at])), metric),
            cells.difference(pairs.get((arm.name, last.name)), metric), in_words(arm.settings),
        ]
        for arm in study.arms
    ]  # fmt: skip
    head = ["Arm", "Labels", f"{metric.name.capitalize()} on test", "Against no teacher, same labels",
            f"Against no teacher, {last.at:g}% of them", "Chosen on validation"]  # fmt: skip
    note = "Means over seeds; differences with 95% intervals, paired by seed and test example."
    return View([figure], [Table("All shares", note, head, table)])
