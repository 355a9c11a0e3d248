"""Whether student and teacher speak of the same classes: what would broadcast silently is refused."""

from torch import Tensor

from limbeck.errors import ModelError


def check_alike(student: Tensor, teacher: Tensor) -> None:
    """Two outputs compared class by class must have the same shape `(b, classes)`.

    Raises:
        ModelError: they have not.
    """
    if student.shape != teacher.shape or student.ndim != 2:
        raise ModelError(
            f"the student gives logits of shape {tuple(student.shape)}, the teacher of {tuple(teacher.shape)}, where "
            "both must be (rows, classes); map the teacher's classes by name (teacher.classes) or give the student as "
            "many outputs"
        )
