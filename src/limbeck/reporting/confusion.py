"""What is taken for what: the whole table for few classes, the commonest mistakes for many."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from limbeck.record import Role
from limbeck.reporting.inputs import AbsentError, RunFiles
from limbeck.reporting.roles import LABELS, ORDER, by_role, shipped

TABLE_CLASSES = 20
"""The most classes of which the whole table is shown."""

_PAIRS = 15


@dataclass(frozen=True)
class Square:
    """One cell: how many, and how strongly it is coloured (0..1)."""

    count: int
    strength: float


@dataclass(frozen=True)
class Mistake:
    """One class taken for another, how often, and out of how many examples of the true class."""

    truth: str
    answer: str
    count: int
    of: int


@dataclass(frozen=True)
class Confusion:
    """One model's mistakes; `rows` (truth by answer) is empty where there are too many classes for a table."""

    role: Role
    label: str
    rows: list[list[Square]]
    mistakes: list[Mistake]
    errors: int
    total: int


def confusions(files: RunFiles) -> list[Confusion]:
    """The mistakes of the seed that ships of each role, the student first.

    Raises:
        AbsentError: no model left predictions, or no test example has a label.
    """
    known = files.target >= 0
    if not known.any():
        raise AbsentError("no test example has a label")
    found, reason = [], AbsentError("there are no models")
    for role, models in sorted(
        by_role(files.record).items(), key=lambda item: (item[0] != "student", ORDER.index(item[0]))
    ):
        try:
            answer = files.logits(shipped(models)).argmax(1)
        except AbsentError as absent:
            reason = absent
            continue
        found.append(_confusion(role, count(files.target[known], answer[known], len(files.record.classes)), files))
    if not found:
        raise reason
    return found


def count(
    target: Int[np.ndarray, " n"], answer: Int[np.ndarray, " n"], classes: int
) -> Int[np.ndarray, "classes classes"]:
    """How often each true class (row) was given each answer (column).

    Example:
        >>> count(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    return np.bincount(target * classes + answer, minlength=classes**2).reshape(classes, classes)


def _confusion(role: Role, counts: Int[np.ndarray, "classes classes"], files: RunFiles) -> Confusion:
    classes = files.record.classes
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    pairs = [divmod(int(place), len(counts)) for place in order if wrong.flat[place]]
    right_most, wrong_most = max(1, int(np.diag(counts).max())), max(1, int(wrong.max()))

    def square(i: int, j: int) -> Square:
        most = right_most if i == j else wrong_most
        return Square(int(counts[i, j]), round(float(counts[i, j] / most) ** 0.5, 2))

    span = range(len(counts))
    return Confusion(
        role=role,
        label=LABELS[role],
        rows=[[square(i, j) for j in span] for i in span] if len(counts) <= TABLE_CLASSES else [],
        mistakes=[Mistake(classes[i], classes[j], int(counts[i, j]), int(counts[i].sum())) for i, j in pairs],
        errors=int(wrong.sum()),
        total=int(counts.sum()),
    )
