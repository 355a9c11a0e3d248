"""Which examples teach the most about a teacher and its student."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Mask = Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class Outputs:
    """Two models' probabilities on the same rows, and the truth (-1 where unknown)."""

    teacher: Float[np.ndarray, "n classes"]
    student: Float[np.ndarray, "n classes"]
    target: Int[np.ndarray, " n"]

    @property
    def disagree(self) -> Mask:
        """The two give different labels."""
        return np.asarray(self.student.argmax(1) != self.teacher.argmax(1), dtype=np.bool_)

    @property
    def both_wrong(self) -> Mask:
        """The two give the same label, and the truth is another."""
        return np.asarray(~self.disagree & (self.target >= 0) & ~self.right(self.teacher), dtype=np.bool_)

    @property
    def ordinary(self) -> Mask:
        """Neither of the above."""
        return np.asarray(~self.disagree & ~self.both_wrong, dtype=np.bool_)

    def right(self, probabilities: Float[np.ndarray, "n classes"]) -> Mask:
        """Rows whose label is known and met."""
        return np.asarray((self.target >= 0) & (probabilities.argmax(1) == self.target), dtype=np.bool_)


def instructive(outputs: Outputs, few: int) -> list[tuple[int, str]]:
    """At most `few` rows with the reason for each; the first is the one to begin with.

    Of each kind the clearest come first, from different classes where there are several: the teacher hesitates and is
    right, the student alone is wrong, the teacher alone is wrong, both are wrong, the teacher is sure.

    Example:
        >>> p = np.array([[0.6, 0.4], [0.99, 0.01], [0.3, 0.7]])
        >>> q = np.array([[0.7, 0.3], [0.98, 0.02], [0.8, 0.2]])
        >>> instructive(Outputs(p, q, np.array([0, 0, 1])), few=3)
        [(0, 'the teacher hesitates'), (2, 'only the student is wrong'), (1, 'the teacher is sure')]
    """
    teacher, student = outputs.right(outputs.teacher), outputs.right(outputs.student)
    sure, boldest, known = outputs.teacher.max(1), -outputs.student.max(1), outputs.target >= 0
    agreed = ~outputs.disagree & (teacher | ~known)
    kinds: tuple[tuple[str, Mask, Float[np.ndarray, " n"], float], ...] = (
        ("the teacher hesitates", agreed, sure, 0.34),
        ("only the student is wrong", teacher & ~student, boldest, 0.25),
        ("only the teacher is wrong", student & ~teacher, boldest, 0.17),
        ("both are wrong", known & ~teacher & ~student, boldest, 0.17),
        ("they disagree", ~known & outputs.disagree, boldest, 0.25),
        ("the teacher is sure", agreed, -sure, 0.17),
    )
    chosen: dict[int, str] = {}
    for why, mask, order, part in kinds:
        left = mask & ~np.isin(np.arange(len(mask)), list(chosen))
        most = min(few - len(chosen), max(1, round(part * (few - 1))))
        chosen |= dict.fromkeys(_varied(left, order, outputs.teacher.argmax(1), most), why)
    return list(chosen.items())


def _varied(mask: Mask, order: Float[np.ndarray, " n"], label: Int[np.ndarray, " n"], most: int) -> list[int]:
    """Rows of the mask, lowest `order` first, those of a label not yet seen before those of one that was."""
    rows = [int(i) for i in np.argsort(order, kind="stable") if mask[i]]
    fresh: dict[int, int] = {}
    for row in rows:
        fresh.setdefault(int(label[row]), row)
    first = set(fresh.values())
    return [*fresh.values(), *(row for row in rows if row not in first)][:most]
