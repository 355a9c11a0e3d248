"""`teachers`: which teacher suits this student? Better teachers need not make better students (the capacity gap)."""

from collections.abc import Mapping, Sequence
from typing import Any

from limbeck.errors import RecipeError
from limbeck.record import Estimate
from limbeck.reporting import numbers
from limbeck.runs.arms import Arm, comparison_arms
from limbeck.runs.plan import Plan
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.compared import against, counted, known
from limbeck.studies.design import Design, Member, Options, Tutor, constant
from limbeck.studies.found import Found
from limbeck.studies.record import ArmRecord, Comparison, StudyRecord, TeacherRecord
from limbeck.studies.scheduled import listening
from limbeck.studies.view import Figure, Table, View
from limbeck.studies.words import file_name, in_words, listed

QUESTION = "Which teacher suits this student?"
TAKES: tuple[str, ...] = ("teachers",)
CHANGES: Mapping[str, Any] = {}
BASELINE, STUDENT, TEACHER, BETWEEN, VIA = (
    "no teacher", "student", "teacher itself", "assistant", "student by way of assistants",
)  # fmt: skip


def design(plan: Plan, options: Options) -> Design:
    """One student, taught by each teacher in turn, by way of its assistants where it has any, and by none."""
    if not options.teachers or len(options.teachers) + len(options.via) < 2:
        got = f"only {listed(list(options.teachers))}" if options.teachers else "none"
        raise RecipeError(
            f"study teachers compares at least two, got {got}: --teachers resnet,wide-mlp, or the recipe's "
            "study.teachers: [{train: {family: resnet, width: 8}}, {train: {family: resnet, width: 32}}]; or one with "
            "assistants: [{train: {family: resnet, width: 32}, via: [{family: convnet, width: 16}]}]"
        )
    baseline = comparison_arms(plan.recipe, plan.splits, len(_listening(plan).candidates))[0]
    members = [Member(BASELINE, "the student without a teacher", plan, constant(baseline), line=BASELINE, tutor=None)]
    tutors = {}
    for name, own in options.teachers.items():
        tutor = file_name(name)
        tutors[tutor] = Tutor(name, own)
        about = f"the student taught by {name}"
        members.append(Member(name, about, own, constant(_listening(own)), line=STUDENT, tutor=tutor))
    for name, assistants in options.via:
        members += _chain(name, options.teachers[name], assistants)
    notes = ("Who has assistants trains them too; each seed has a chain of its own.",) if options.via else ()
    return Design(tuple(members), tutors, notes)


def _listening(plan: Plan) -> Arm:
    return listening(plan.arms[0], "teachers")


def _chain(name: str, own: Plan, assistants: Sequence[Plan]) -> list[Member]:
    """The assistants, each taught by the one before, and then the student."""
    made: list[Member] = []
    tutor, called = file_name(name), [_student(each) for each in assistants]
    for place, plan in enumerate(assistants):
        through = f"{name} > {' > '.join(called[: place + 1])}"
        about = f"the assistant {called[place]}"
        made.append(Member(through, about, plan, constant(_listening(plan)), line=BETWEEN, tutor=tutor))
        tutor = through
    whole = f"{name} by way of {' and '.join(called)}"
    made.append(Member(whole, f"the student taught by {whole}", own, constant(_listening(own)), line=VIA, tutor=tutor))
    return made


def _student(plan: Plan) -> str:
    settings = plan.recipe.student.settings
    return " ".join([plan.recipe.student.family or "module", *(f"{key} {value}" for key, value in settings.items())])


def answer(found: Found) -> Answer:
    """The best student's teacher, against the best teacher's student."""
    task = found.plan.task
    target, metric = found.plan.splits.test.labels, task.metric
    members = found.design.members
    names = [m.name for m in members if m.line in (STUDENT, VIA)]
    best_of = max if metric.higher_is_better else min
    means = {name: float(found.scores(name).mean()) for name in names}
    best = best_of(means, key=lambda name: means[name])
    to_baseline = against(found, names, BASELINE)
    to_best = against(found, [name for name in names if name != best], best)
    shortcuts = _against_straight(found)
    rivals = [each.arm for each in to_best if known(each) is None]
    sentences = [
        f"The best student on test was that of {best}"
        + (f"; not known to be worse: {listed(rivals)}." if rivals else ", and all others are known to be worse.")
    ]
    teachers = {
        name: float(task.scores(found.teachers[tutor], target)[metric.name].mean())
        for name in names
        if (tutor := found.trained[name].member.tutor) is not None and tutor in found.teachers
    }
    if teachers and best in teachers:
        ablest = best_of(teachers, key=lambda name: teachers[name])
        same = "which is also the best teacher by itself" if ablest == best else f"while {ablest} is the best by itself"
        sentences[0] = sentences[0].replace(f"that of {best}", f"that of {best}, {same}", 1)
    sentences.append(counted(to_baseline, "no teacher", "students"))
    sentences += [each.sentence for each in shortcuts]
    note = "The best student was named after looking at test, so its lead over the others is flattered."
    told = {(each.arm, each.against) for each in shortcuts}
    to_best = [each for each in to_best if (each.arm, each.against) not in told]
    return Answer(tuple(sentences), (*to_baseline, *to_best, *shortcuts), (), (note,))


def _against_straight(found: Found) -> list[Comparison]:
    """Each student that had assistants, against the one that its teacher taught straight."""
    members = {m.name: m for m in found.design.members}
    straight = {m.tutor: m.name for m in members.values() if m.line == STUDENT}
    made: list[Comparison] = []
    for member in members.values():
        if member.line == VIA:
            tutor = member.tutor
            while tutor is not None and tutor not in found.taught:  # a teacher and an arm may share a name
                tutor = members[tutor].tutor
            made += against(found, [member.name], straight[tutor])
    return made


def view(study: StudyRecord) -> View:
    """Student and teacher over the teacher's size, and the table."""
    metric = study.metric
    teachers = {each.name: each for each in study.teachers}
    rows: list[dict[str, Any]] = []
    base = study.arm(BASELINE)
    for arm in study.arms:
        teacher = teachers.get(_first(study, arm))
        if teacher is None or teacher.params is None or arm.line == BETWEEN:
            continue
        shown = {arm.line: arm.quality} | ({} if teacher.quality is None else {TEACHER: teacher.quality})
        for line, quality in shown.items():
            rows.append(_row(arm.name, line, teacher.params, quality))
    rows.sort(key=lambda row: row["x"])
    colours = {STUDENT: "student", VIA: "good", TEACHER: "teacher"}
    there = {line: colour for line, colour in colours.items() if any(row["line"] == line for row in rows)}
    figure = Figure(
        "Quality over the teacher's size",
        "Means over seeds with 95% intervals (a teacher's: over test examples). Dashed: the student without a teacher.",
        charts.lines(metric, x="the teacher's parameters", colours=there, log=True,
                     level=base.quality.value),
        rows, "Lines of quality over the teacher's size; the same numbers stand in the table.", 300,
    )  # fmt: skip
    return View([figure] if rows else [], [_table(study, teachers)])


def _table(study: StudyRecord, teachers: Mapping[str, TeacherRecord]) -> Table:
    """Every student and every assistant; who had assistants also against the one without."""
    metric = study.metric
    pairs = {(each.arm, each.against): each for each in study.comparisons}
    straight = {arm.tutor: arm.name for arm in study.arms if arm.line == STUDENT}
    assisted = any(arm.line == VIA for arm in study.arms)
    table = []
    for arm in study.arms:
        first = _first(study, arm)
        own = pairs.get((arm.name, BASELINE))
        row = [arm.name, "assistant" if arm.line == BETWEEN else "student", cells.estimate(arm.quality, metric),
               cells.difference(own, metric), cells.p_value(own)]  # fmt: skip
        if assisted:
            row.append(cells.difference(pairs.get((arm.name, straight.get(first, ""))), metric))
        table.append([*row, *_teacher(teachers.get(first), metric), in_words(arm.settings)])
    head = ["Taught by", "Who learns", f"{metric.name.capitalize()} of who learns", "Against no teacher", "p",
            *(["Against the same teacher's, taught straight"] if assisted else []), f"Teacher's {metric.name}",
            "Teacher's parameters", "Chosen on validation"]  # fmt: skip
    note = "On test, means over seeds; differences with 95% intervals, paired by seed and test example."
    if assisted:
        note += " A row of an assistant is its own; no student is compared with it."
    return Table("All teachers", note, head, table)


def _first(study: StudyRecord, arm: ArmRecord) -> str:
    """The teacher at the head of an arm's chain."""
    teachers, tutor = {each.name for each in study.teachers}, arm.tutor
    while tutor is not None and tutor not in teachers:  # a teacher and an arm may share a name
        tutor = study.arm(tutor).tutor
    return tutor or ""


def _row(name: str, line: str, x: float, quality: Estimate) -> dict[str, Any]:
    low, high = cells.ends(quality)
    return {"arm": name, "line": line, "x": x, "value": quality.value, "low": low, "high": high}


def _teacher(teacher: Any, metric: Any) -> list[str]:  # noqa: ANN401 - of the record, or nobody
    if teacher is None:
        return [numbers.ABSENT, numbers.ABSENT]
    params = numbers.ABSENT if teacher.params is None else f"{teacher.params:,}"
    return [cells.estimate(teacher.quality, metric), params]
