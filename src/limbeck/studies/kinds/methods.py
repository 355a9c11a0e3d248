"""`methods`: which objective teaches this student best, from this teacher on these data, and which only hurts?"""

from collections.abc import Mapping, Sequence
from typing import Any

from limbeck.errors import InputError
from limbeck.objectives import METHODS
from limbeck.runs.arms import Arm, comparison_arms
from limbeck.runs.plan import Plan
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.compared import against, known
from limbeck.studies.design import TEACHER, Design, Member, Options, Tutor, constant
from limbeck.studies.found import Found
from limbeck.studies.kinds.grids import GRIDS, MOST
from limbeck.studies.kinds.method import LABELS, Method, keeping, method
from limbeck.studies.record import Comparison, StudyRecord
from limbeck.studies.view import Figure, Table, View
from limbeck.studies.words import in_words, listed

QUESTION = "Which method teaches this student best, and which are worse than no teacher at all?"
TAKES: tuple[str, ...] = ("methods",)
CHANGES: Mapping[str, Any] = {}
BASELINE = "baseline"
TARGETS = {"multiclass": "soft-targets", "regression": "regression-targets"}
"""Task -> what a method stands beside; others: binary-targets."""


def design(plan: Plan, options: Options) -> Design:
    """A baseline, soft targets, and the methods asked for; all students hear one teacher, through one guide."""
    most = max(1, min(plan.recipe.tune.trials, MOST))
    reference = _reference(plan)
    named = options.methods if options.methods is not None else plan.recipe.study.methods
    asked, notes = ([dict(each) for each in named], []) if named else _fitting(plan, reference)
    left = [
        each for each in asked if each.get("method") != LABELS.get(plan.task.name) and each != {"method": reference}
    ]
    methods = keeping(plan, [method(plan, each, reference) for each in ({"method": reference}, *left)])
    plan = methods[0].plan
    baseline = Member(BASELINE, "the same student without a teacher", plan, constant(_baseline(plan, most)), tutor=None)
    members = (baseline, *(_member(each, most) for each in methods))
    return Design(members, {TEACHER: Tutor("the teacher", plan)}, tuple(notes))


def _baseline(plan: Plan, most: int) -> Arm:
    return comparison_arms(plan.recipe, plan.splits, most)[0]


def _reference(plan: Plan) -> str:
    return TARGETS.get(plan.task.name, "binary-targets")


def _fitting(plan: Plan, reference: str) -> tuple[list[dict[str, Any]], list[str]]:
    """All methods that this task, student, teacher and signal allow, and a note about the others."""
    taps, fit, left = _offered(plan), [], []
    for name in METHODS:
        grid = GRIDS.get(name)
        if grid is None or name not in plan.task.objectives:
            continue
        if grid.pair and taps is None:
            left.append(name)
            continue
        asked = {"method": name, **(taps if grid.pair and taps is not None else {})}
        try:
            method(plan, asked, reference)
        except InputError as error:
            left.append(f"{name} ({error})")
            continue
        fit.append(asked)
    if not left:
        return fit, []
    mend = "" if taps is not None else " Methods on activations need taps: name them in the recipe's study.methods."
    return fit, [f"Left out: {listed(left)}.{mend}"]


def _offered(plan: Plan) -> dict[str, str] | None:
    """Taps that the recipe's own objective names, one a side."""
    for term in plan.recipe.objective:
        student, teacher = term.settings.get("student"), term.settings.get("teacher")
        if isinstance(student, str) and isinstance(teacher, str):
            return {"student": student, "teacher": teacher}
    return None


def _called(method: Method) -> str:
    """A method's name, and the taps it reads where somebody chose them."""
    taps = [str(method.own[side]) for side in ("student", "teacher") if side in method.own]
    return f"{method.name} ({' < '.join(taps)})" if taps else method.name


def _member(method: Method, most: int) -> Member:
    """The arm of one method."""
    called = _called(method)
    after = method.reference if method.grid.beside_targets else None
    return Member(
        called, f"the student with {called}", method.plan, lambda chosen: method.arm(chosen, most), after=after
    )


def answer(found: Found) -> Answer:
    """Every method against no teacher, and against soft targets; those that are worse are named first of all."""
    names = [name for name in found.trained if name != BASELINE]
    reference = names[0]
    to_baseline = against(found, names, BASELINE)
    to_reference = against(found, names[1:], reference) if names[1:] else []
    better = found.plan.task.metric.higher_is_better
    sentences = [
        _said(to_baseline, "no teacher", better=better),
        *([_said(to_reference, reference, better=better)] if to_reference else []),
    ]
    beside = [name for name, each in found.trained.items() if each.member.after is not None]
    families = f"{len(to_baseline)} comparisons with the baseline are read together"
    if to_reference:
        families += f", and {len(to_reference)} with {reference}"
    notes = [f"{families}: p-values are Holm's, within each family."]
    if beside:
        notes.append(
            f"Terms beside {reference}, whose temperature validation had chosen before ({_of(found, reference)}): "
            f"{listed(beside)}; what is tuned is their weight."
        )
    return Answer(tuple(sentences), (*to_baseline, *to_reference), (), tuple(notes))


def _of(found: Found, name: str) -> str:
    return in_words(found.trained[name].settings)


def _said(comparisons: Sequence[Comparison], other: str, *, better: bool) -> str:
    """How many methods are better, worse, as good, or not known, and which."""
    ahead = [each for each in comparisons if known(each) == "better"]
    behind = [each for each in comparisons if known(each) == "worse"]
    same = [each for each in comparisons if each.outcome == "no-gain"]
    rest = len(comparisons) - len(ahead) - len(behind) - len(same)
    count = len(comparisons)
    methods = "the one method" if count == 1 else f"{count} methods"
    parts = []
    if ahead:
        best = max(ahead, key=lambda each: each.difference if better else -each.difference)
        parts.append(f"{len(ahead)} beat{'s' if len(ahead) == 1 else ''} {other} ({best.arm} by most)")
    elif count > 1:
        parts.append(f"none beats {other}")
    if behind:
        parts.append(f"{len(behind)} {'is' if len(behind) == 1 else 'are'} worse: {listed([e.arm for e in behind])}")
    elif count > 1:
        parts.append("none is worse")
    if same:
        parts.append(f"{len(same)} {'makes' if len(same) == 1 else 'make'} no difference that matters")
    if rest:
        parts.append(f"{rest} {'is' if rest == 1 else 'are'} inconclusive")
    return f"Of {methods}, {', '.join(parts)}."


def view(study: StudyRecord) -> View:
    """A forest plot of the differences from the baseline, and the whole table."""
    metric, reference = study.metric, study.arms[1].name
    to_baseline = {each.arm: each for each in study.comparisons if each.against == BASELINE}
    to_reference = {each.arm: each for each in study.comparisons if each.against == reference}
    sign = 1 if metric.higher_is_better else -1
    order = sorted(to_baseline, key=lambda name: -sign * to_baseline[name].difference)
    rows = [charts.forest_row(to_baseline[name], metric) for name in order]
    height = 90 + 26 * len(rows)
    forest = Figure(
        "Difference from no teacher",
        "Dots are means over seeds and test examples, bars 95% intervals of the paired difference; right of the line "
        "the teacher helped. The band is what does not matter. Colour: what is left after Holm's correction.",
        charts.forest(metric, margin=study.margin, height=26 * len(rows)),
        rows,
        "Forest plot: the same numbers stand in the table.",
        height,
    )
    step = study.arm(reference).step_ms
    head = [
        "Method", f"{metric.name.capitalize()} on test", "Against no teacher", "p", f"Against {reference}", "p",
        "Step, times", "Chosen on validation",
    ]  # fmt: skip
    table = [
        [
            name,
            cells.estimate(study.arm(name).quality, metric),
            cells.difference(to_baseline.get(name), metric),
            cells.p_value(to_baseline.get(name)),
            cells.difference(to_reference.get(name), metric),
            cells.p_value(to_reference.get(name)),
            f"{study.arm(name).step_ms / step:.2f}" if step else "",
            in_words(study.arm(name).settings),
        ]
        for name in [*order, BASELINE]
    ]
    tones = [charts.tone(to_baseline[name]) for name in order] + ["none"]
    note = (
        "Means over seeds; differences with their 95% intervals, paired by seed and test example; p after Holm's "
        f"correction; the time of a step against that of {reference}, looks at validation included (one machine, "
        "other work on it shows)."
    )
    return View([forest], [Table("All methods", note, head, table, tones)])
