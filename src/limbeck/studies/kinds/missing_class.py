"""`missing-class`: Hinton's experiment. Does a student know a class that it never saw, from its teacher's doubts?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from limbeck.data.loader import evaluation_batches
from limbeck.data.subset import Subset
from limbeck.errors import RecipeError
from limbeck.measuring.evaluate import predict
from limbeck.objectives import SoftTargets, as_sum
from limbeck.record import Estimate
from limbeck.reporting import numbers
from limbeck.runs.arms import TEMPERATURES, Arm, comparison_arms, written_temperatures
from limbeck.runs.fit import Settings
from limbeck.runs.plan import Plan
from limbeck.runs.predictions import teacher_logits
from limbeck.runs.splits import Splits
from limbeck.studies import cells, charts
from limbeck.studies.answer import Answer
from limbeck.studies.compared import against
from limbeck.studies.design import TEACHER, Design, Member, Options, Tutor, constant
from limbeck.studies.found import Found, mean
from limbeck.studies.record import Finding, StudyRecord
from limbeck.studies.view import Figure, Table, View

QUESTION = "Does a student know a class that it never saw?"
TAKES: tuple[str, ...] = ("without",)
CHANGES: Mapping[str, Any] = {"data.keep_labels": 1.0}
"""All labels are known, so that it is known which examples to leave out."""
BASELINE, WHOLE, WITHOUT = "no teacher, class left out", "whole transfer set", "class left out"
CORRECTED = "class left out, bias corrected"

Logits = Float[np.ndarray, "_ classes"]


def design(plan: Plan, options: Options) -> Design:
    """Soft targets alone on everything and on everything but one class; and labels alone on the latter."""
    place = _class(plan, options.without)
    _refuse(plan)
    few = _without(plan.splits, place)
    most = max(1, plan.recipe.tune.trials)
    temperatures = (written_temperatures(plan.recipe) or TEMPERATURES)[:most]
    candidates: tuple[Settings, ...] = tuple({"temperature": each} for each in temperatures)
    whole = Arm("student", candidates, _soft, lambda _settings: plan.splits.transfer)

    def settled(chosen: Settings) -> Arm:
        return Arm("student", (chosen,) if chosen else candidates, _soft, lambda _settings: few.transfer)

    name = plan.splits.classes[place]
    baseline = comparison_arms(plan.recipe, few, len(candidates))[0]
    members = (
        Member(WHOLE, "the student that saw every class", plan, constant(whole), at=place),
        Member(WITHOUT, f"the student that never saw {name}", plan, settled, at=place, after=WHOLE),
        Member(
            BASELINE, f"the student that never saw {name} and has no teacher", plan, constant(baseline), at=place,
            tutor=None,
        ),
    )  # fmt: skip
    note = (
        f"Left out of what the students learn from: every example of {name}. The teacher saw them, and validation, on "
        "which the temperature was chosen for the whole transfer set, holds them."
    )
    return Design(members, {TEACHER: Tutor("the teacher", plan)}, (note,))


def _soft(settings: Settings) -> Any:  # noqa: ANN401 - a weighted sum
    return as_sum(SoftTargets(float(settings["temperature"] or 1.0)))


def _class(plan: Plan, asked: str | None) -> int:
    """The class's place, by its name or number."""
    classes = list(plan.splits.classes)
    if asked is None or (asked not in classes and not (asked.isdecimal() and int(asked) < len(classes))):
        got = "no class is named" if asked is None else f"{asked!r} is no class"
        raise RecipeError(f"study missing-class: {got}; use --without with one of: {', '.join(classes)}")
    return classes.index(asked) if asked in classes else int(asked)


def _refuse(plan: Plan) -> None:
    if plan.task.name != "multiclass":
        raise RecipeError(f"study missing-class is for multiclass tasks, this one is {plan.task.name}")
    if plan.teacher is None:
        raise RecipeError("study missing-class asks the teacher about validation; a teacher that is a guide cannot be")
    if plan.views.mixing is not None:
        raise RecipeError("study missing-class: views that mix examples would mix the class in; leave mixing out")
    if (plan.splits.transfer.labels < 0).any():
        raise RecipeError(
            "study missing-class must know each example's class to leave one out; remove data.unlabelled, and rows "
            "without labels"
        )


def _without(splits: Splits, place: int) -> Splits:
    return replace(
        splits,
        transfer=Subset(splits.transfer, np.flatnonzero(splits.transfer.labels != place)),
        labelled=Subset(splits.labelled, np.flatnonzero(splits.labelled.labels != place)),
    )


def bias(logits: Logits, place: int, share: float) -> float:
    """What must be added to one class's logit so that a share of the rows, to the nearest row, is given that class.

    Args:
        logits: one row an example.
        place: of the class.
        share: of the rows, 0..1.

    Example:
        >>> logits = np.array([[0.0, 3.0], [0.0, 1.0], [0.0, 2.0], [0.0, 4.0]])
        >>> bias(logits, 0, 0.5)
        2.5
    """
    others = np.delete(logits, place, axis=1).max(axis=1)
    needed = np.sort((others - logits[:, place]).astype(np.float64))
    count = round(share * len(needed))
    if count == 0:
        return float(needed[0] - 1.0)
    if count == len(needed):
        return float(needed[-1] + 1.0)
    return float(needed[count - 1] + needed[count]) / 2


def answer(found: Found) -> Answer:
    """Recall of the class that was left out, as it is and with its bias corrected."""
    plan, place = found.plan, int(found.design.members[0].at or 0)
    target, name = plan.splits.test.labels, plan.splits.classes[place]
    share, corrected = _corrected(found, place)
    logits = {WHOLE: found.test[WHOLE], WITHOUT: found.test[WITHOUT], CORRECTED: corrected,
              BASELINE: found.test[BASELINE]}  # fmt: skip
    here = target == place
    findings, recalls = [], {}
    for arm, rows in logits.items():
        right = np.stack([(each.argmax(1) == target).astype(np.float64) for each in rows])
        recalls[arm] = mean(right[:, here])
        findings += [
            _finding(f"recall of {name}: {arm}", recalls[arm], f"Recall of {name}, {arm}"),
            _finding(f"accuracy: {arm}", mean(right), f"Accuracy on all classes, {arm}"),
        ]
    finds = {arm: _shown(recall) for arm, recall in recalls.items()}
    without = f"A student that never saw {name} finds {finds[WITHOUT]} of them"
    sentences = (
        f"{without}, and {finds[CORRECTED]} with its bias corrected; one that saw every class finds {finds[WHOLE]}.",
        f"Without a teacher it finds {finds[BASELINE]}.",
    )
    note = (
        f"The bias of {name} is set so that the student gives that class to as many validation examples as the teacher "
        f"does ({100 * share:.1f}%); no label and no test example is used. {int(here.sum())} test examples are of it."
    )
    return Answer(sentences, tuple(against(found, [WITHOUT, BASELINE], WHOLE)), tuple(findings), (note,))


def _corrected(found: Found, place: int) -> tuple[float, list[Logits]]:
    """The share of validation that the teacher gives the class, and the students' test logits with that bias."""
    plan, live = found.plan, found.taught[TEACHER].raised.live
    assert live is not None, "a teacher that is a guide was refused"
    size = plan.recipe.train.batch_size
    said = teacher_logits(live, evaluation_batches(plan.splits.validation, size)).argmax(1)
    share = float((said == place).mean())
    rows = []
    for fitted, test in zip(found.trained[WITHOUT].fitted, found.test[WITHOUT], strict=True):
        validation = predict(fitted.model(), evaluation_batches(plan.splits.validation, size))
        moved = test.copy()
        moved[:, place] += bias(validation, place, share)
        rows.append(moved)
    return share, rows


def _finding(name: str, found: Estimate, said: str) -> Finding:
    return Finding(name=name, value=found.value, ci95=found.ci95, unit="share", sentence=f"{said}: {_shown(found)}.")


def _shown(found: Estimate) -> str:
    if found.ci95 is None:
        return numbers.share(found.value)
    low, high = (min(max(end, 0.0), 1.0) for end in found.ci95)
    return f"{numbers.share(found.value)} (95% interval {numbers.share(low)} to {numbers.share(high)})"


def view(study: StudyRecord) -> View:
    """Recall of the class, and everything in a table."""
    found = {each.name: each for each in study.findings}
    name = study.classes[int(study.arms[0].at or 0)]
    arms = (WHOLE, CORRECTED, WITHOUT, BASELINE)
    rows, table = [], []
    for arm in arms:
        recall, accuracy = found[f"recall of {name}: {arm}"], found[f"accuracy: {arm}"]
        low, high = recall.ci95 or (recall.value or 0.0, recall.value or 0.0)
        rows.append({"arm": arm, "value": recall.value, "low": max(low, 0.0), "high": min(high, 1.0)})
        estimates = [Estimate(value=each.value or 0.0, ci95=each.ci95) for each in (recall, accuracy)]
        table.append([arm, *(cells.estimate(each, study.metric) for each in estimates)])
    figure = Figure(
        f"Recall of {name} on test", "Means over seeds with 95% intervals.",
        charts.dots(study.metric, x="recall of the class that was left out"), rows,
        "Dots of recall; the same numbers stand in the table.", 180,
    )  # fmt: skip
    head = ["Student", f"Recall of {name}", "Accuracy on all classes"]
    return View([figure], [Table("Recall and accuracy", "Means over seeds with 95% intervals.", head, table)])
