"""`Needs`: what an objective must be handed; whoever asks models reads it from here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Shapes = Mapping[str, tuple[int, ...]]
"""Path of a tap -> shape of its activation, without the batch axis."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What an objective must be handed.

    Attributes:
        teacher: whether it listens to a teacher at all.
        labels: whether it learns from the data's own labels.
        student_taps: paths of student activations it reads.
        teacher_taps: paths of teacher activations it reads.
        input_gradient: whether it reads, of both sides, the cross-entropy's gradient by the raw inputs.
    """

    teacher: bool = True
    labels: bool = False
    student_taps: tuple[str, ...] = ()
    teacher_taps: tuple[str, ...] = ()
    input_gradient: bool = False

    @property
    def insides(self) -> bool:
        """Whether it reads more of the models than their answers."""
        return bool(self.student_taps or self.teacher_taps or self.input_gradient)


def union(needs: Iterable[Needs]) -> Needs:
    """Everything that any of them names, each tap once, in order.

    Example:
        >>> union([Needs(student_taps=("a", "b")), Needs(teacher=False, student_taps=("b", "c"))]).student_taps
        ('a', 'b', 'c')
    """
    every = list(needs)
    return Needs(
        teacher=any(need.teacher for need in every),
        labels=any(need.labels for need in every),
        student_taps=tuple(dict.fromkeys(tap for need in every for tap in need.student_taps)),
        teacher_taps=tuple(dict.fromkeys(tap for need in every for tap in need.teacher_taps)),
        input_gradient=any(need.input_gradient for need in every),
    )
