"""`schedule`: for how much of training is a teacher needed, and when? Blakeney et al. 2022 end distillation early.

Their "optimal results when it is only performed for the first 20-50% of training" (arXiv 2211.00683) is asked here of
the user's own data: the teacher first and labels after it, the other way round, and a teacher that fades.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from limbeck.errors import RecipeError
from limbeck.record import MetricRecord
from limbeck.runs.arms import Arm, comparison_arms
from limbeck.runs.plan import Plan
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.compared import against, as_good, counted
from limbeck.studies.design import TEACHER, Design, Member, Options, Tutor, constant, settled
from limbeck.studies.found import Found
from limbeck.studies.record import ArmRecord, Comparison, Finding, StudyRecord
from limbeck.studies.scheduled import Turn, constant_weights, fading, first, late, listening, scheduled
from limbeck.studies.view import Figure, Table, View
from limbeck.studies.words import in_words, share

QUESTION = "For how much of training is a teacher needed, and when?"
TAKES: tuple[str, ...] = ("shares",)
CHANGES: Mapping[str, Any] = {}
SHARES = (0.1, 0.2, 0.35, 0.5)
"""Of the training, from its start."""
LATE = 0.5
BASELINE, FIRST, OTHER = "no teacher", "teacher first, then labels", "other schedules"
WHOLE, LAST, FADING = "teacher throughout", f"labels first, teacher from {LATE:.0%} on", "teacher fades into labels"


def design(plan: Plan, options: Options) -> Design:
    """No teacher, a teacher throughout, and the same teacher for a part of training with labels in the rest."""
    arm = _throughout(plan)
    members = [
        Member(
            BASELINE, "the student without a teacher", plan,
            constant(comparison_arms(plan.recipe, plan.splits, len(arm.candidates))[0]), line=BASELINE, tutor=None,
        ),
        Member(WHOLE, "the student with a teacher throughout", plan, constant(arm), line=FIRST, at=100.0),
    ]  # fmt: skip
    for part in sorted(set(options.shares or SHARES)):
        if not 0 < part < 1:
            raise RecipeError(f"study: a share of training is above 0 and below 1 (0.2 is 20%), got {part:g}")
        name = f"teacher in the first {share(part)}"
        members.append(_member(plan, arm, name, f"the student with a {name} of training", first(part), at=100 * part))
    members.append(_member(plan, arm, LAST, f"the student with {LAST}", late(LATE)))
    members.append(_member(plan, arm, FADING, "the student with a teacher that fades into labels", fading))
    note = (
        "All arms see the same labelled examples in as many steps; the temperature is chosen for the teacher "
        "throughout, and holds for the others."
    )
    return Design(tuple(members), {TEACHER: Tutor("the teacher", plan)}, (note,))


def _throughout(plan: Plan) -> Arm:
    """The recipe's objective on the labelled examples."""
    arm = listening(plan.arms[0], "schedule")
    if not constant_weights(arm):
        raise RecipeError(
            "study schedule: the study decides what is learned when; remove stages, and give weights as plain numbers"
        )
    return replace(arm, source=lambda _settings: plan.splits.labelled)


def _member(plan: Plan, whole: Arm, name: str, about: str, turn: Turn, *, at: float | None = None) -> Member:
    arm = settled(scheduled(whole, turn))
    return Member(name, about, plan, arm, line=FIRST if at is not None else OTHER, at=at, after=WHOLE)


def answer(found: Found) -> Answer:
    """Each schedule against the teacher throughout, and all against no teacher."""
    members = found.design.members
    parts = [m for m in members if m.line == FIRST and m.name != WHOLE]
    others = [m.name for m in members if m.line == OTHER]
    to_whole = against(found, [*(m.name for m in parts), *others], WHOLE)
    to_baseline = against(found, [WHOLE, *(m.name for m in parts), *others], BASELINE)
    enough = _enough(found, parts, to_whole)
    sentences = (
        counted(to_whole, "a teacher throughout", "schedules"),
        _said(enough),
        counted(to_baseline, "no teacher", "students"),
    )
    finding = Finding(
        name="share of training that is enough", value=None if enough is None else enough.at, ci95=None,
        unit="% of the training", sentence=_said(enough),
    )  # fmt: skip
    note = (
        "Enough is the least share whose student is known to be behind that of a teacher throughout by less than the "
        "margin. Where the teacher is asked live, it is not asked while its weight is 0."
    )
    return Answer(sentences, (*to_whole, *to_baseline), (finding,), (note,))


def _enough(found: Found, parts: Sequence[Member], to_whole: Sequence[Comparison]) -> Member | None:
    """The least share whose student is known to be no worse than that of a teacher throughout, within the margin."""
    better, margin = found.plan.task.metric.higher_is_better, found.plan.recipe.verdict.margin
    good = {each.arm for each in to_whole if as_good(each, margin, higher_is_better=better)}
    return min((m for m in parts if m.name in good), key=lambda m: m.at or 0.0, default=None)


def _said(enough: Member | None) -> str:
    if enough is None:
        return "No share of training is known to be as good as a teacher throughout, within the margin."
    return f"A {enough.name} of training is known to be as good as one throughout, within the margin, or better."


def view(study: StudyRecord) -> View:
    """Quality over the teacher's share of training, each schedule against the teacher throughout, and the table."""
    metric = study.metric
    to_whole = [each for each in study.comparisons if each.against == WHOLE]
    forest = [charts.forest_row(each, metric) for each in to_whole]
    figures = [
        Figure(
            "Quality over the teacher's share of training",
            "The teacher first, then labels alone. Means over seeds with 95% intervals. Dashed: the student without a "
            "teacher.",
            charts.lines(metric, x="share of training with the teacher, %", colours={FIRST: "student"}, log=True,
                         level=study.arm(BASELINE).quality.value),
            sorted((_row(arm) for arm in study.arms if arm.line == FIRST), key=lambda row: row["x"]),
            "A line of quality over the share of training; the same numbers stand in the table.", 300,
        ),
        Figure(
            "Against a teacher throughout", "Differences on test between students, with 95% intervals; the band is the "
            "margin.", charts.forest(metric, margin=study.margin, height=26 * len(forest)), forest,
            "Dots of differences; the same numbers stand in the table.", 26 * len(forest) + 90,
        ),
    ]  # fmt: skip
    return View(figures, [_table(study, metric)])


def _row(arm: ArmRecord) -> dict[str, Any]:
    low, high = cells.ends(arm.quality)
    return {"arm": arm.name, "line": FIRST, "x": arm.at, "value": arm.quality.value, "low": low, "high": high}


def _table(study: StudyRecord, metric: MetricRecord) -> Table:
    pairs = {(each.arm, each.against): each for each in study.comparisons}
    rows = [
        [
            arm.name, cells.estimate(arm.quality, metric), cells.difference(pairs.get((arm.name, WHOLE)), metric),
            cells.p_value(pairs.get((arm.name, WHOLE))), cells.difference(pairs.get((arm.name, BASELINE)), metric),
            cells.p_value(pairs.get((arm.name, BASELINE))), f"{arm.step_ms:.1f} ms", in_words(arm.settings),
        ]
        for arm in study.arms
    ]  # fmt: skip
    head = ["Schedule", f"{metric.name.capitalize()} on test", f"Against a {WHOLE}", "p", "Against no teacher", "p",
            "A step", "Chosen on validation"]  # fmt: skip
    note = "Means over seeds; differences with 95% intervals, p after Holm's correction. A step: the fastest seed's."
    return Table("All schedules", note, head, rows)
