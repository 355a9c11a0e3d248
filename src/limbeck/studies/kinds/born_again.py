"""`born-again`: does a student that teaches its equal make a better one? Generations, their ensembles, and controls.

Paper: Furlanello et al. 2018, Born-Again Neural Networks, arXiv 1805.04770.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from limbeck.errors import RecipeError
from limbeck.measuring.pooled import pooled
from limbeck.objectives import METHODS, as_sum
from limbeck.record import Estimate, MetricRecord
from limbeck.runs.arms import Arm, comparison_arms
from limbeck.runs.named import load_named
from limbeck.runs.plan import Plan
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.compared import against, counted
from limbeck.studies.design import Design, Member, Options, constant, from_seed, settled
from limbeck.studies.found import Found, mean
from limbeck.studies.record import Comparison, Finding, StudyRecord
from limbeck.studies.scheduled import listening
from limbeck.studies.view import Figure, Table, View
from limbeck.studies.words import in_words
from limbeck.task import Array

QUESTION = "Does a student that teaches its equal make a better one?"
TAKES: tuple[str, ...] = ("generations",)
CHANGES: Mapping[str, Any] = {}
GENERATIONS = 3
APART = 1000
"""Between the first seeds of arms that must not begin with the same weights."""
FRESH, LINE, CONTROL, MORE = "generation 0", "generations", "controls", "more of generation 0"
TOGETHER, ALIKE = "all generations together", "as many of generation 0 together"
CONTROLS = {
    "cwtm": "one taught only how sure the teacher is of each example",
    "dkpp": "one whose teacher's other probabilities are dealt out at random",
}


def design(plan: Plan, options: Options) -> Design:
    """The student on labels, then each generation taught by the one before, seed by seed; and the paper's controls."""
    count = GENERATIONS if options.generations is None else options.generations
    if count < 1:
        raise RecipeError(f"study born-again: generations is at least 1, got {count}")
    if plan.recipe.guide.from_ is not None:
        raise RecipeError("study born-again: each generation is its own teacher; remove guide.from")
    student, first = listening(plan.arms[0], "born-again"), plan.first_seed
    baseline = comparison_arms(plan.recipe, plan.splits, len(student.candidates))[0]
    members = [
        Member(FRESH, "the student on labels alone", plan, constant(baseline), line=LINE, at=0, tutor=None),
    ]
    for number in range(1, count + 1):
        own = from_seed(plan, first + APART * number)
        arm = constant(student) if number == 1 else settled(student)
        members.append(
            Member(
                f"generation {number}", f"generation {number}", own, arm, line=LINE, at=number,
                after=None if number == 1 else "generation 1", tutor=f"generation {number - 1}",
            )
        )  # fmt: skip
    members += [_control(plan, method) for method in CONTROLS if method in plan.task.objectives]
    members += [_more(plan, baseline, number, first + APART * (count + number - 1)) for number in range(2, count + 1)]
    note = (
        "Each seed is a lineage of its own: its generation 0 is the student trained on labels, and no other teacher is "
        "heard. All generations have as many steps, and those after the first the settings that the first one chose."
    )
    return Design(tuple(members), {}, (note,))


def _more(plan: Plan, baseline: Arm, number: int, seed: int) -> Member:
    """As many students on labels again, for an ensemble that no teacher had a part in."""
    own = from_seed(plan, seed)
    return Member(
        f"{FRESH}, set {number}", "the student on labels alone", own, settled(baseline), line=MORE, after=FRESH,
        tutor=None,
    )  # fmt: skip


def _control(plan: Plan, method: str) -> Member:
    """Begins with the weights of generation 1 and hears the same teacher."""
    objective = as_sum(load_named(METHODS, method, {}))
    arm = Arm("student", ({},), lambda _settings: objective, lambda _settings: plan.splits.labelled)
    about, own = CONTROLS[method], from_seed(plan, plan.first_seed + APART)
    return Member(method, about, own, constant(arm), line=CONTROL, tutor=FRESH)


def answer(found: Found) -> Answer:
    """Each generation and control against generation 0, and all generations together against as many fresh ones."""
    members, metric = found.design.members, found.plan.task.metric
    generations = [m.name for m in members if m.line == LINE and m.name != FRESH]
    controls = [m.name for m in members if m.line == CONTROL]
    alone = against(found, [*generations, *controls], FRESH)
    to_first = against(found, controls, generations[0]) if controls else []
    of_generations = [each for each in alone if each.arm in generations]
    sentences = [counted(of_generations, "the student on labels alone", "generations")]
    together: list[Comparison] = []
    findings: list[Finding] = []
    if len(generations) > 1 and found.plan.task.calibrated:
        groups = {
            TOGETHER: generations,
            ALIKE: [FRESH, *(m.name for m in members if m.line == MORE)],
        }
        with_groups = replace(found, test={**found.test, **{name: _pooled(found, own) for name, own in groups.items()}})
        together = against(
            with_groups, [TOGETHER], ALIKE, about={TOGETHER: f"the ensemble of {len(generations)} generations",
                                                   ALIKE: "that of as many students on labels alone"},
        )  # fmt: skip
        sentences.append(together[0].sentence)
        for name in groups:
            value = mean(with_groups.scores(name))
            said = cells.estimate(value, MetricRecord(**asdict(metric)))
            findings.append(
                Finding(name=name, value=value.value, ci95=value.ci95, unit=metric.name, sentence=f"{name}: {said}.")
            )
    return Answer(tuple(sentences), (*alone, *to_first, *together), tuple(findings))


def _pooled(found: Found, names: Sequence[str]) -> list[Array]:
    """The models of one seed of each arm, asked as one."""
    return [pooled(each) for each in zip(*(found.test[name] for name in names), strict=True)]


def view(study: StudyRecord) -> View:
    """Quality over generations, and the table."""
    metric, findings = study.metric, {each.name: each for each in study.findings}
    rows = []
    for arm in study.arms:
        if arm.line == LINE:
            low, high = cells.ends(arm.quality)
            rows.append(
                {"arm": arm.name, "line": LINE, "x": arm.at, "value": arm.quality.value, "low": low, "high": high}
            )
    figure = Figure(
        "Quality over generations", "Means over seeds with 95% intervals. Dashed: generation 0, on labels alone.",
        charts.lines(metric, x="generation", colours={LINE: "student"}, log=False, whole=True,
                     level=study.arm(FRESH).quality.value),
        rows, "A line of quality over generations; the same numbers stand in the table.", 300,
    )  # fmt: skip
    pairs = {(each.arm, each.against): each for each in study.comparisons}
    table = []
    for arm in study.arms:
        own = pairs.get((arm.name, FRESH))
        table.append([
            arm.name, arm.tutor or "nobody", cells.estimate(arm.quality, metric), cells.difference(own, metric),
            cells.p_value(own), in_words(arm.settings),
        ])  # fmt: skip
    tables = [
        Table(
            "All arms", "Means over seeds. Each seed's teacher is the model of its place in the arm named.",
            ["Arm", "Taught by", f"{metric.name.capitalize()} on test", "Against generation 0", "p",
             "Chosen on validation"], table,
        )
    ]  # fmt: skip
    ensembles = [findings[name] for name in (TOGETHER, ALIKE) if name in findings]
    if ensembles:
        cell = [
            [each.name, cells.estimate(Estimate(value=each.value or 0.0, ci95=each.ci95), metric)]
            for each in ensembles
        ]  # fmt: skip
        difference = cells.difference(pairs.get((TOGETHER, ALIKE)), metric)
        tables.append(
            Table("Ensembles", f"Means of probabilities. Difference: {difference}.",
                  ["Ensemble", f"{metric.name.capitalize()} on test"], cell)
        )  # fmt: skip
    return View([figure], tables)
