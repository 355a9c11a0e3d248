"""Where the teacher is wrong: does the student repeat it, or know better? Imitation without what is mere arithmetic."""

import numpy as np
from jaxtyping import Float, Int

from limbeck.measuring.quality import check_rows
from limbeck.studies.record import OnErrors
from limbeck.task import Task


def on_errors(
    task: Task,
    student: Float[np.ndarray, "n *outputs"],
    teacher: Float[np.ndarray, "n *outputs"],
    target: Int[np.ndarray, " n"],
) -> OnErrors | None:
    """Splits a student's test answers by whether its teacher is right.

    Over all examples, accuracy follows from agreement in part: where the teacher is right, whoever agrees is right. On
    its errors whoever agrees is wrong, and no number of the one part follows from one of the other.

    Args:
        task: says what is right, and what agreement is.
        student: its logits.
        teacher: its logits about the same examples.
        target: class indices, negative where unknown; those rows are left out.

    Returns:
        `None` where the teacher makes no labelled errors, or only errors, and for tasks whose answers are not right or
        wrong.

    Raises:
        DataError: the numbers of rows differ.

    Example:
        >>> from limbeck.task import Multiclass
        >>> teacher, student = np.eye(3)[[0, 1, 2, 2]], np.eye(3)[[0, 0, 2, 1]]
        >>> found = on_errors(Multiclass(), student, teacher, np.array([0, 1, 1, 1]))
        >>> found.errors, found.repeated, found.right, found.right_elsewhere
        (2, 0.5, 0.5, 0.5)
    """
    check_rows(student, teacher)
    check_rows(student, target)
    known = np.flatnonzero(target >= 0)
    agrees = task.fidelity(student[known], teacher[known]).get("agreement")
    if agrees is None or not known.size:
        return None
    ours, theirs = (task.scores(logits[known], target[known])[task.metric.name] for logits in (student, teacher))
    wrong = theirs == 0
    if not ((theirs == 0) | (theirs == 1)).all() or not wrong.any() or wrong.all():
        return None
    return OnErrors(
        errors=int(wrong.sum()),
        repeated=float(agrees[wrong].mean()),
        right=float(ours[wrong].mean()),
        right_elsewhere=float(ours[~wrong].mean()),
    )
