"""`temperature`: what does softness do, to the result and on the way there? Temperatures are the arms."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
from scipy.special import stdtrit
from scipy.stats import ttest_1samp

from limbeck.objectives import HardLabels, SoftTargets, as_sum
from limbeck.record import Estimate
from limbeck.reporting import numbers
from limbeck.runs.arms import Arm, written_temperatures
from limbeck.runs.plan import Plan
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.compared import against, known
from limbeck.studies.design import TEACHER, Design, Member, Options, Tutor, constant
from limbeck.studies.found import Found
from limbeck.studies.interval import LEVEL
from limbeck.studies.record import Finding, StudyRecord
from limbeck.studies.verdict import holm
from limbeck.studies.view import Figure, Table, View

QUESTION = "What does the temperature do, and is learning from soft targets gentler?"
TAKES: tuple[str, ...] = ()
CHANGES: Mapping[str, Any] = {}
TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
LABELS = "labels only"
AREA = (
    "The area is the mean of the validation metric from the first look, at step {}, to the end; its interval is "
    "Student's t over seeds, its p Holm's over the temperatures."
)
COLOURS = ("baseline", "teacher", "teacher-labels", "unsure", "bad", "good", "student", "none")
"""Neighbours look unlike."""


def design(plan: Plan, options: Options) -> Design:
    """Soft targets alone at each temperature, and labels alone."""
    del options
    members = [
        Member(
            LABELS, "the student with labels only", plan,
            constant(Arm("baseline", ({},), lambda _: as_sum(HardLabels()), lambda _: plan.splits.labelled)),
            line=LABELS, tutor=None,
        )
    ]  # fmt: skip
    members += [_member(plan, each) for each in written_temperatures(plan.recipe) or TEMPERATURES]
    return Design(tuple(members), {TEACHER: Tutor("the teacher", plan)})


def _member(plan: Plan, temperature: float) -> Member:
    arm = Arm(
        "student",
        ({"temperature": temperature},),
        lambda _settings: as_sum(SoftTargets(temperature)),
        lambda _settings: plan.splits.transfer,
    )
    name = f"temperature {temperature:g}"
    return Member(name, f"the student at {name}", plan, constant(arm), line="soft targets", at=temperature)


def answer(found: Found) -> Answer:
    """The best temperature, each against labels only, and the area under the validation curve."""
    task = found.plan.task
    soft = [name for name in found.trained if name != LABELS]
    to_labels = against(found, soft, LABELS)
    means = {name: float(found.scores(name).mean()) for name in soft}
    best = (max if task.metric.higher_is_better else min)(means, key=lambda name: means[name])
    to_best = against(found, [name for name in soft if name != best], best) if len(soft) > 1 else []
    rivals = [each.arm for each in to_best if known(each) is None]
    said = f"Best on test was {best}" + (f"; not known to be worse: {', '.join(rivals)}." if rivals else ".")
    beaten = [each.arm for each in to_labels if known(each) == "better"]
    behind = [each.arm for each in to_labels if known(each) == "worse"]
    than = f"Against labels only, better: {', '.join(beaten) or 'none'}; worse: {', '.join(behind) or 'none'}."
    gaps = {name: areas(found, name) - areas(found, LABELS) for name in soft}
    p_values = _corrected(gaps)
    findings = []
    for name in soft:
        gap = between_seeds(gaps[name])
        findings.append(
            Finding(
                name=f"area under the validation curve, {name} minus labels",
                value=gap.value,
                ci95=gap.ci95,
                p_value_holm=p_values.get(name),
                unit=f"mean {task.metric.name}",
                sentence=_gentler(name, gap, p_values.get(name), percent=task.metric.percent),
            )
        )
    flattered = "The best one was named after looking at test, so its lead over the others is flattered."
    notes = (
        f"Nothing is tuned here: every arm is as its name says. {flattered}",
        AREA.format(_first_look(found)),
    )
    way = _on_the_way(gaps, p_values, higher_is_better=task.metric.higher_is_better)
    return Answer((said, than, way), (*to_labels, *to_best), tuple(findings), notes)


def _corrected(gaps: Mapping[str, np.ndarray[Any, np.dtype[np.float64]]]) -> dict[str, float]:
    """Paired t-tests over seeds, after Holm's correction; none where one seed shows no scatter."""
    tested = {name: float(ttest_1samp(gap, 0.0).pvalue) for name, gap in gaps.items() if len(gap) > 1 and np.ptp(gap)}
    return dict(zip(tested, holm(list(tested.values())), strict=True))


def _on_the_way(
    gaps: Mapping[str, np.ndarray[Any, np.dtype[np.float64]]], p_values: Mapping[str, float], *, higher_is_better: bool
) -> str:
    """Which temperatures learn sooner than labels, and which later."""
    sign = 1 if higher_is_better else -1
    sure = [name for name in gaps if p_values.get(name, 1.0) <= LEVEL]
    sooner = [name for name in sure if sign * float(gaps[name].mean()) > 0]
    later = [name for name in sure if name not in sooner]
    found = f"gentler than labels only: {', '.join(sooner) or 'none'}; slower: {', '.join(later) or 'none'}"
    return f"On the way there, {found}."


def _first_look(found: Found) -> int:
    key = f"val/{found.plan.task.metric.name}"
    rows = found.trained[LABELS].fitted[0].history
    return int(next(row["step"] for row in rows if key in row["values"]))


def areas(found: Found, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The mean of the primary metric on validation over training, one number a seed (trapezoids over steps)."""
    key = f"val/{found.plan.task.metric.name}"
    values = []
    for fitted in found.trained[name].fitted:
        rows = [(row["step"], row["values"][key]) for row in fitted.history if key in row["values"]]
        steps, heights = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
        values.append(float(np.trapezoid(heights, steps) / np.ptp(steps)) if np.ptp(steps) else float(heights.mean()))
    return np.array(values)


def between_seeds(values: np.ndarray[Any, np.dtype[np.float64]]) -> Estimate:
    """A mean over seeds with Student's 95% interval.

    Example:
        >>> found = between_seeds(np.array([1.0, 2.0, 3.0]))
        >>> found.value, [round(end, 2) for end in found.ci95]
        (2.0, [-0.48, 4.48])
    """
    mean = float(values.mean())
    if len(values) < 2:
        return Estimate(value=mean)
    half = float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / sqrt(len(values)))
    return Estimate(value=mean, ci95=(mean - half, mean + half))


def _gentler(name: str, gap: Estimate, p_value: float | None, *, percent: bool) -> str:
    scale, unit = (100, " points") if percent else (1, "")
    shown = f"{scale * gap.value:+.2f}{unit}".replace("-", "\N{MINUS SIGN}")
    if gap.ci95 is None:
        return f"Area under the validation curve at {name}: {shown} from labels only (one seed shows no interval)."
    low, high = (f"{scale * end:+.2f}".replace("-", "\N{MINUS SIGN}") for end in gap.ci95)
    corrected = "" if p_value is None else f", p = {_p(p_value)} after Holm's correction"
    interval = f"95% interval {low} to {high}{corrected}"
    return f"Area under the validation curve at {name}: {shown} from labels only ({interval})."


def _p(value: float) -> str:
    """Two significant digits, and more where they would read as the limit."""
    text = f"{value:.2g}"
    return numbers.p_value(value) if float(text) == LEVEL else text


def view(study: StudyRecord) -> View:
    """Differences from labels only, and the table; learning curves are drawn by the page from the histories."""
    metric = study.metric
    soft = [arm for arm in study.arms if arm.name != LABELS]
    base = study.arm(LABELS)
    rows = []
    for arm in soft:
        low, high = cells.ends(arm.quality)
        rows.append({"arm": arm.name, "line": "soft targets", "x": arm.at, "value": arm.quality.value, "low": low,
                     "high": high})  # fmt: skip
    figures = [
        Figure(
            "Quality over temperature", "Means over seeds with 95% intervals. Dashed: the student with labels only.",
            charts.lines(metric, x="temperature", colours={"soft targets": "student"}, log=True,
                         level=base.quality.value),
            rows, "A line of quality over temperature; the same numbers stand in the table.", 300,
        ),
        Figure(
            "Learning curves", "Validation over training, means over seeds.",
            charts.curves(metric, colours={arm.name: COLOURS[n % len(COLOURS)] for n, arm in enumerate(study.arms)}),
            [
                {"arm": arm.name, "line": arm.name, "x": step, "value": round(value, 5)}
                for arm in study.arms for step, value in arm.curve
            ],
            "Lines of the validation metric over optimiser steps.", 300,
        ),
    ]  # fmt: skip
    to_labels = {each.arm: each for each in study.comparisons if each.against == LABELS}
    table = [
        [
            arm.name, cells.estimate(arm.quality, metric), cells.difference(to_labels.get(arm.name), metric),
            cells.p_value(to_labels.get(arm.name)), numbers.ABSENT if (mean := _agreement(arm.seeds)) is None else
            numbers.share(mean),
        ]
        for arm in study.arms
    ]  # fmt: skip
    head = ["Arm", f"{metric.name.capitalize()} on test", "Against labels only", "p", "Agrees with the teacher"]
    return View(figures, [Table("All temperatures", "Means over seeds; p after Holm's correction.", head, table)])


def _agreement(seeds: Any) -> float | None:  # noqa: ANN401 - of an arm
    known = [seed.agreement for seed in seeds if seed.agreement is not None]
    return float(np.mean(known)) if known else None
