"""Which test examples are shown, and why: chosen because they teach something, never as a fair sample."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.special import softmax

from limbeck.reporting import pictures
from limbeck.reporting.inputs import AbsentError, RunFiles
from limbeck.reporting.instructive import Outputs, instructive
from limbeck.reporting.roles import by_role, shipped

SOFT = 12
"""The most examples whose soft labels can be looked at."""

_MANY_CLASSES = 20
_MOST_BARS = 10


@dataclass(frozen=True)
class Answer:
    """What one model says of one example; `right` is `None` where the truth is unknown."""

    label: str
    confidence: float
    right: bool | None


@dataclass(frozen=True)
class Example:
    """One example that is shown.

    Attributes:
        picture: number among the page's pictures, `None` when there are none.
        row: in the test split.
        truth: class name, `None` when unknown.
        teacher: its answer.
        student: the answer of the seed that ships.
        why: it was chosen.
    """

    picture: int | None
    row: int
    truth: str | None
    teacher: Answer
    student: Answer
    why: str


@dataclass(frozen=True)
class Group:
    """Examples of one kind, with how many of them the whole test split has."""

    title: str
    examples: list[Example]
    total: int


@dataclass(frozen=True)
class Shown:
    """Everything that is shown of single examples.

    Attributes:
        groups: sample predictions.
        soft: examples whose soft labels can be looked at.
        logits: of `soft`: teacher's and student's, each `(classes,)`, the largest 0.
        pictures: addresses, by number; empty where there are none.
        pixelated: whether pixels are shown one by one.
        no_pictures: why there are none.
        tested: size of the test split.
    """

    groups: list[Group]
    soft: list[Example]
    logits: list[tuple[list[float], list[float]]]
    pictures: dict[int, str]
    pixelated: bool
    no_pictures: str
    tested: int


def shown(files: RunFiles) -> Shown:
    """Chooses and prepares the examples.

    Raises:
        AbsentError: teacher or student left no predictions.
    """
    models, classes = by_role(files.record), files.record.classes
    if "teacher" not in models or "student" not in models:
        raise AbsentError("the run has no " + ("teacher" if "teacher" not in models else "student"))
    teacher, student = (files.logits(shipped(models[role])) for role in ("teacher", "student"))
    inputs, rows, no_pictures = _samples(files)
    everything = Outputs(softmax(teacher, 1), softmax(student, 1), files.target)
    here = Outputs(everything.teacher[rows], everything.student[rows], files.target[rows])

    def example(i: int, why: str) -> Example:
        truth = int(here.target[i])
        return Example(
            picture=None if inputs is None else i,
            row=int(rows[i]),
            truth=classes[truth] if truth >= 0 else None,
            teacher=_answer(here.teacher[i], truth, classes),
            student=_answer(here.student[i], truth, classes),
            why=why,
        )

    soft = instructive(here, SOFT if len(classes) <= _MANY_CLASSES else SOFT // 2)
    groups = _groups(here, everything, example)
    used = sorted({i for i, _ in soft} | {e.picture for g in groups for e in g.examples if e.picture is not None})
    return Shown(
        groups=groups,
        soft=[example(i, why) for i, why in soft],
        logits=[(_levelled(teacher[rows[i]]), _levelled(student[rows[i]])) for i, _ in soft],
        pictures={} if inputs is None else {i: pictures.data_uri(inputs[i]) for i in used},
        pixelated=inputs is not None and pictures.is_pixelated(*inputs.shape[2:]),
        no_pictures=no_pictures,
        tested=len(files.target),
    )


def _samples(files: RunFiles) -> tuple[UInt8[np.ndarray, "k c h w"] | None, Int[np.ndarray, " k"], str]:
    """Pictures and their rows; without pictures every row of the test split may be shown."""
    try:
        inputs, rows = files.samples
        pictures.data_uri(inputs[0])
    except AbsentError as reason:
        return None, np.arange(len(files.target)), str(reason)
    return inputs, rows, ""


def _answer(probabilities: Float[np.ndarray, " classes"], truth: int, classes: Sequence[str]) -> Answer:
    top = int(probabilities.argmax())
    return Answer(classes[top], float(probabilities[top]), None if truth < 0 else top == truth)


def _levelled(logits: Float[np.ndarray, " classes"]) -> list[float]:
    return [round(float(value), 3) + 0.0 for value in logits - logits.max()]


def _groups(here: Outputs, everything: Outputs, example: Callable[[int, str], Example]) -> list[Group]:
    """Disagreements and errors first, the surest first among them; then ordinary examples in their own order."""
    surest = np.argsort(-here.student.max(1), kind="stable")
    kinds = (
        ("Teacher and student disagree", here.disagree, everything.disagree, surest, 24),
        ("Both are wrong", here.both_wrong, everything.both_wrong, surest, 12),
        ("The rest, for comparison", here.ordinary, everything.ordinary, np.arange(len(surest)), 12),
    )
    groups = []
    for title, mask, all_of_them, order, most in kinds:
        chosen = [example(int(i), "") for i in [i for i in order if mask[i]][:most]]
        if chosen:
            groups.append(Group(title, chosen, int(all_of_them.sum())))
    return groups


def bars(classes: Sequence[str], teacher: Sequence[float], student: Sequence[float]) -> list[tuple[str, float, float]]:
    """Classes with both models' probabilities at temperature 1: all of them, or of many the likeliest and the rest.

    Args:
        classes: names.
        teacher: logits.
        student: logits.

    Example:
        >>> bars(["no", "yes"], [0.0, 0.0], [0.0, 0.0])
        [('no', 0.5, 0.5), ('yes', 0.5, 0.5)]
    """
    p, q = softmax(np.array(teacher)), softmax(np.array(student))
    if len(classes) <= _MANY_CLASSES:
        return [(name, float(a), float(b)) for name, a, b in zip(classes, p, q, strict=True)]
    top = np.argsort(-np.maximum(p, q), kind="stable")[:_MOST_BARS]
    listed = [(classes[i], float(p[i]), float(q[i])) for i in top]
    return [*listed, ("all others", float(1 - p[top].sum()), float(1 - q[top].sum()))]
