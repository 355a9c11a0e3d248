"""`teachers`: which teacher suits this student? Better teachers need not make better students (the capacity gap)."""

from collections.abc import Mapping
from typing import Any

from limbeck.errors import RecipeError
from limbeck.record import Estimate
from limbeck.reporting import numbers
from limbeck.runs.arms import comparison_arms
from limbeck.runs.plan import Plan
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.compared import against, known
from limbeck.studies.design import Design, Member, Options, Tutor, constant
from limbeck.studies.found import Found
from limbeck.studies.record import StudyRecord
from limbeck.studies.view import Figure, Table, View
from limbeck.studies.words import file_name, in_words, listed

QUESTION = "Which teacher suits this student?"
CHANGES: Mapping[str, Any] = {}
BASELINE, STUDENT, TEACHER = "no teacher", "student", "teacher itself"


def design(plan: Plan, options: Options) -> Design:
    """One student, taught by each teacher in turn, and by none."""
    if not options.teachers or len(options.teachers) < 2:
        raise RecipeError(
            "study teachers compares at least two: --teachers resnet,wide-mlp, or the recipe's study.teachers: "
            "[{train: {family: resnet, width: 8}}, {train: {family: resnet, width: 32}}]"
        )
    baseline = comparison_arms(plan.recipe, plan.splits, len(plan.arms[0].candidates))[0]
    members = [Member(BASELINE, "the student without a teacher", plan, constant(baseline), line=BASELINE, tutor=None)]
    tutors = {}
    for name, own in options.teachers.items():
        tutor = file_name(name)
        tutors[tutor] = Tutor(name, own)
        about = f"the student taught by {name}"
        members.append(Member(name, about, own, constant(own.arms[0]), line=STUDENT, tutor=tutor))
    return Design(tuple(members), tutors)


def answer(found: Found) -> Answer:
    """The best student's teacher, against the best teacher's student."""
    task = found.plan.task
    target, metric = found.plan.splits.test.labels, task.metric
    names = [name for name in found.trained if name != BASELINE]
    best_of = max if metric.higher_is_better else min
    means = {name: float(found.scores(name).mean()) for name in names}
    best = best_of(means, key=lambda name: means[name])
    to_baseline = against(found, names, BASELINE)
    to_best = against(found, [name for name in names if name != best], best)
    rivals = [each.arm for each in to_best if known(each) is None]
    sentences = [
        f"The best student on test was that of {best}"
        + (f"; not known to be worse: {listed(rivals)}." if rivals else ", and all others are known to be worse.")
    ]
    teachers = {
        name: float(task.scores(found.teachers[tutor], target)[metric.name].mean())
        for name in names
        if (tutor := found.trained[name].member.tutor) in found.teachers and tutor is not None
    }
    if teachers:
        ablest = best_of(teachers, key=lambda name: teachers[name])
        same = "which is also the best teacher by itself" if ablest == best else f"while {ablest} is the best by itself"
        sentences[0] = sentences[0].replace(f"that of {best}", f"that of {best}, {same}", 1)
    helped = [each.arm for each in to_baseline if known(each) == "better"]
    harmed = [each.arm for each in to_baseline if known(each) == "worse"]
    sentences.append(
        f"Against no teacher, better: {listed(helped) if helped else 'none'}; worse: "
        f"{listed(harmed) if harmed else 'none'}."
    )
    note = "The best student was named after looking at test, so its lead over the others is flattered."
    return Answer(tuple(sentences), (*to_baseline, *to_best), (), (note,))


def view(study: StudyRecord) -> View:
    """Student and teacher over the teacher's size, and the table."""
    metric = study.metric
    teachers = {each.name: each for each in study.teachers}
    rows, table = [], []
    base = study.arm(BASELINE)
    pairs = {each.arm: each for each in study.comparisons if each.against == BASELINE}
    for arm in study.arms:
        teacher = teachers.get(arm.tutor or "")
        row = [arm.name, cells.estimate(arm.quality, metric), cells.difference(pairs.get(arm.name), metric)]
        table.append([*row, cells.p_value(pairs.get(arm.name)), *_teacher(teacher, metric), in_words(arm.settings)])
        if teacher is None or teacher.params is None:
            continue
        shown = {STUDENT: arm.quality} | ({} if teacher.quality is None else {TEACHER: teacher.quality})
        for line, quality in shown.items():
            rows.append(_row(arm.name, line, teacher.params, quality))
    rows.sort(key=lambda row: row["x"])
    figure = Figure(
        "Quality over the teacher's size",
        "Means over seeds with 95% intervals (a teacher's: over test examples). Dashed: the student without a teacher.",
        charts.lines(metric, x="the teacher's parameters", colours={STUDENT: "student", TEACHER: "teacher"}, log=True,
                     level=base.quality.value),
        rows, "Lines of quality over the teacher's size; the same numbers stand in the table.", 300,
    )  # fmt: skip
    head = ["Taught by", f"Student's {metric.name} on test", "Against no teacher", "p", f"Teacher's {metric.name}",
            "Teacher's parameters", "Chosen on validation"]  # fmt: skip
    return View([figure] if rows else [], [Table("All teachers", "Means over seeds.", head, table)])


def _row(name: str, line: str, x: float, quality: Estimate) -> dict[str, Any]:
    low, high = cells.ends(quality)
    return {"arm": name, "line": line, "x": x, "value": quality.value, "low": low, "high": high}


def _teacher(teacher: Any, metric: Any) -> list[str]:  # noqa: ANN401 - of the record, or nobody
    if teacher is None:
        return [numbers.ABSENT, numbers.ABSENT]
    params = numbers.ABSENT if teacher.params is None else f"{teacher.params:,}"
    return [cells.estimate(teacher.quality, metric), params]
