"""`ensembles`: do several teachers teach one student better than the best of them, and which rule joins them best?"""

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

from limbeck.errors import RecipeError
from limbeck.recipe.teachers import Teacher
from limbeck.reporting import numbers
from limbeck.runs.arms import Arm, comparison_arms
from limbeck.runs.plan import Plan
from limbeck.runs.teacher import kept_teacher, require_quality
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.compared import against, counted
from limbeck.studies.design import Design, Member, Options, Tutor, constant
from limbeck.studies.found import Found
from limbeck.studies.record import ArmRecord, StudyRecord, TeacherRecord
from limbeck.studies.scheduled import listening
from limbeck.studies.view import Figure, Table, View
from limbeck.studies.words import file_name, in_words
from limbeck.teachers.rules import ONE_OF

QUESTION = "Do several teachers teach one student better than the best of them?"
TAKES: tuple[str, ...] = ()
CHANGES: Mapping[str, Any] = {}
BASELINE, SINGLE, RULE = "no teacher", "one teacher", "several teachers"
RULES: dict[str, Mapping[str, Any]] = {
    "mean of probabilities": {"rule": "probabilities", "shares": None},
    "mean of logits": {"rule": "logits", "shares": None},
    "by confidence": {"rule": "confidence", "shares": None},
    "learned weights": {"rule": "probabilities", "shares": "learned"},
    "one at random a step": {"rule": "random", "shares": None},
    "one at random a view": {"rule": "random-view", "shares": None},
}
"""Name -> keys of the recipe's `teacher`."""
ALONE = frozenset(name for name, keys in RULES.items() if keys["rule"] in ONE_OF)
"""Rules under which the student hears one teacher at a time, and never their mean."""
ALL = "all"
"""Where the guides lie that most rules read."""


def design(plan: Plan, options: Options) -> Design:
    """The student taught by nobody, by each teacher alone, and by all of them under each rule."""
    del options
    teacher = plan.recipe.teacher
    if teacher.ensemble is None or plan.teacher is None:
        raise RecipeError(
            "study ensembles needs several teachers, for instance teacher: [{train: {family: resnet, width: 16}}, "
            "{train: {family: resnet, width: 16}}] (each has a seed of its own)"
        )
    if any(member.knows is not None for member in plan.teacher.members):
        raise RecipeError("study ensembles compares teachers that know all classes; leave specialists out")
    student = listening(plan.arms[0], "ensembles")
    baseline = comparison_arms(plan.recipe, plan.splits, len(student.candidates))[0]
    members = [Member(BASELINE, "the student without a teacher", plan, constant(baseline), line=BASELINE, tutor=None)]
    tutors: dict[str, Tutor] = {}
    for number in range(len(teacher.ensemble)):
        name = f"teacher {number + 1}"
        tutors[file_name(name)] = Tutor(name, plan.member(number))
        members.append(_member(plan, student, name, f"the student of {name} alone", SINGLE))
    for name, keys in RULES.items():
        home = None if keys["rule"] == "random-view" else ALL
        about = f"all teachers, {name}" + (", measured by the mean of their probabilities" if name in ALONE else "")
        tutors[file_name(name)] = Tutor(about, _ruled(plan, teacher, keys), home)
        members.append(_member(plan, student, name, f"the student of all teachers, {name}", RULE))
    note = (
        "All rules hear the same teachers, which are trained once and label once: a guide each for all rules, and one "
        "in which they take turns, for one at random a view."
    )
    still = kept_teacher(plan.views)
    return Design(tuple(members), tutors, (note, *([] if still is None else [f"One at random a view: {still}"])))


def _member(plan: Plan, student: Arm, name: str, about: str, line: str) -> Member:
    return Member(name, about, plan, constant(student), line=line, tutor=file_name(name))


def _ruled(plan: Plan, teacher: Teacher, keys: Mapping[str, Any]) -> Plan:
    return replace(plan, recipe=plan.recipe.model_copy(update={"teacher": teacher.model_copy(update=dict(keys))}))


def answer(found: Found) -> Answer:
    """Each rule against the student of the teacher that is best on validation, and against no teacher."""
    members = found.design.members
    rules = [m.name for m in members if m.line == RULE]
    singles = [m.name for m in members if m.line == SINGLE]
    best = _best(found, singles)
    to_best = against(found, rules, best)
    to_baseline = against(found, [*singles, *rules], BASELINE)
    sentences = [counted(to_best, f"the student of {best}, the best teacher on validation", "rules")]
    sentences.append(counted(to_baseline, "the student without a teacher", "students"))
    return Answer(tuple(sentences), (*to_best, *to_baseline), (), (_cost(found),))


def _best(found: Found, singles: list[str]) -> str:
    """The teacher that is best on validation by itself; test is not asked."""
    plan = found.plan
    qualities = {}
    for name in singles:
        live = found.taught[file_name(name)].raised.live
        assert live is not None, "each of several teachers can be asked"
        qualities[name] = require_quality(live, plan.splits, plan.task, None, plan.recipe.train.batch_size).value
    best_of = max if plan.task.metric.higher_is_better else min
    return best_of(singles, key=lambda name: qualities[name])


def _cost(found: Found) -> str:
    seconds = [
        each.raised.fitted.seconds
        for name, each in found.taught.items()
        if each.raised.fitted is not None
        and name in {file_name(m.name) for m in found.design.members if m.line == SINGLE}
    ]
    if not seconds:
        return "The teachers existed already; what several cost beside one is their labelling, which the table tells."
    return (
        f"Training the {len(seconds)} teachers took {sum(seconds):.3g} s in all, {max(seconds):.3g} s the longest. A "
        "guide of all costs as often as there are teachers; one at random a view about as much as one teacher's, and "
        "one at random a step does where teachers are asked live."
    )


def view(study: StudyRecord) -> View:
    """Each rule against the best teacher's student, and everything in a table."""
    metric, teachers = study.metric, {each.name: each for each in study.teachers}
    first = [each for each in study.comparisons if each.against != BASELINE]
    rows = [charts.forest_row(each, metric) for each in first]
    best = first[0].against
    figure = Figure(
        f"Several teachers against {best} alone",
        f"Differences on test between students, with 95% intervals; {best} is the best teacher on validation.",
        charts.forest(metric, margin=study.margin, height=26 * len(rows)), rows,
        "Dots of differences; the same numbers stand in the table.", 26 * len(rows) + 90,
    )  # fmt: skip
    pairs = {(each.arm, each.against): each for each in study.comparisons}
    table = []
    for arm in study.arms:
        own, teacher = pairs.get((arm.name, best)), teachers.get(arm.tutor or "")
        table.append([
            arm.name, cells.estimate(arm.quality, metric), cells.difference(own, metric), cells.p_value(own),
            cells.difference(pairs.get((arm.name, BASELINE)), metric),
            _own(study, arm, teacher), _took(teacher),
            f"{arm.step_ms:.1f} ms", in_words(arm.settings),
        ])  # fmt: skip
    head = ["Taught by", f"{metric.name.capitalize()} on test", f"Against {best}'s student", "p", "Against no teacher",
            "Teacher's own", "Labelling", "A step", "Chosen on validation"]  # fmt: skip
    note = (
        "Means over seeds; differences with 95% intervals. Teacher's own: what the student hears, on test; where it "
        "hears one teacher at a time, what they reach each alone, on average. A step: that of the fastest seed (other "
        "work shows)."
    )
    return View([figure], [Table("All teachers and rules", note, head, table)])


def _own(study: StudyRecord, arm: ArmRecord, teacher: TeacherRecord | None) -> str:
    """The quality of what the student hears; of one teacher at a time, the mean of what they reach each alone."""
    if arm.name not in ALONE:
        return cells.estimate(None if teacher is None else teacher.quality, study.metric)
    tutors = {arm.tutor for arm in study.arms if arm.line == SINGLE}
    found = [each.quality.value for each in study.teachers if each.name in tutors and each.quality is not None]
    return f"{numbers.score(fmean(found), study.metric)}, each alone" if found else numbers.ABSENT


def _took(teacher: TeacherRecord | None) -> str:
    """What its guides took."""
    return numbers.duration_s(teacher.labelling_s) if teacher is not None and teacher.labelling_s else numbers.ABSENT
