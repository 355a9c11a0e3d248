"""Fidelity: how far a student gives its teacher's answers, whether they are right or not."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

from limbeck.measuring.quality import check_rows, estimate
from limbeck.record import Estimate, Fidelity
from limbeck.task import RANGES, Task


def fidelity(
    task: Task,
    student_logits: Float[np.ndarray, "n *outputs"],
    teacher_logits: Float[np.ndarray, "n *outputs"],
    target: Int[np.ndarray, " n"] | None,
    ceiling: float | None,
) -> Fidelity:
    """Agreement and divergence over all rows, labelled or not.

    Args:
        task: says what fidelity is; what it does not define is null.
        student_logits: one row an example.
        teacher_logits: the same examples.
        target: class indices, negative where unknown; the teacher's errors are looked for there. A student that only
            guessed better than its teacher repeats few of them, a copy repeats all.
        ceiling: from `agreement_ceiling`.

    Returns:
        What the task defines; on the teacher's errors only where it makes some.

    Raises:
        DataError: the numbers of rows differ.
    """
    check_rows(student_logits, teacher_logits)
    rows = task.fidelity(student_logits, teacher_logits)
    agreement = rows.get("agreement")
    on_errors = None
    if agreement is not None and target is not None:
        check_rows(teacher_logits, target)
        wrong = _errors(task, teacher_logits, target)
        on_errors = float(agreement[wrong].mean()) if wrong.any() else None
    return Fidelity(
        agreement=_estimate("agreement", agreement),
        kl=_estimate("kl", rows.get("kl")),
        agreement_ceiling=ceiling,
        agreement_on_teacher_errors=on_errors,
    )


def agreement_ceiling(task: Task, logits: Sequence[Float[np.ndarray, "n *outputs"]]) -> float | None:
    """Mean agreement over all pairs of students that differ in their seed only, 0..1.

    A student cannot be expected to agree with its teacher more than it agrees with itself.

    Args:
        task: says what agreement is.
        logits: of each student, about the same examples.

    Returns:
        `None` for fewer than two students, and for tasks without agreement.
    """
    pairs = [task.fidelity(a, b).get("agreement") for a, b in combinations(logits, 2)]
    means = [float(rows.mean()) for rows in pairs if rows is not None]
    return float(np.mean(means)) if means else None


def _errors(
    task: Task, logits: Float[np.ndarray, "n *outputs"], target: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Labelled rows whose score is 0, for tasks where an answer is right (1) or wrong (0); else none."""
    known = np.flatnonzero(target >= 0)
    wrong = np.zeros(len(target), dtype=bool)
    if known.size:
        scores = task.scores(logits[known], target[known])[task.metric.name]
        if ((scores == 0) | (scores == 1)).all():
            wrong[known] = scores == 0
    return wrong


def _estimate(name: str, rows: Float[np.ndarray, " n"] | None) -> Estimate | None:
    return None if rows is None or not rows.size else estimate(rows, RANGES[name])
