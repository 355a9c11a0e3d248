"""Class sets mapped by name: a teacher that knows more classes, or the same in another order."""

from collections.abc import Sequence

from limbeck.errors import ModelError


def columns(teacher_classes: Sequence[str] | None, classes: Sequence[str], outputs: int) -> tuple[int, ...] | None:
    """Which of the teacher's outputs stand for the data's classes, in the data's order.

    Args:
        teacher_classes: the teacher's class names in the order of its outputs; `None`: they are the data's.
        classes: the data's class names.
        outputs: width of the teacher's logits.

    Returns:
        One column an own class, or `None` where nothing has to be moved.

    Raises:
        ModelError: the number of names does not fit the outputs, a name stands twice, or a class is not among them.

    Example:
        >>> columns(["dog", "cat", "bird"], ["cat", "dog"], 3)
        (1, 0)
    """
    if teacher_classes is None:
        if outputs != len(classes):
            raise ModelError(
                f"the teacher has {outputs} outputs, the data {len(classes)} classes; name the teacher's classes in "
                "the order of its outputs (teacher.classes), so that they can be mapped by name, or train a new "
                "head on it (teacher.adapt: head)"
            )
        return None
    if len(teacher_classes) != outputs:
        raise ModelError(f"teacher.classes has {len(teacher_classes)} names, but the teacher has {outputs} outputs")
    if len(set(teacher_classes)) != len(teacher_classes):
        twice = sorted({name for name in teacher_classes if list(teacher_classes).count(name) > 1})
        raise ModelError(f"teacher.classes names {', '.join(map(repr, twice))} more than once")
    place = {name: column for column, name in enumerate(teacher_classes)}
    missing = [name for name in classes if name not in place]
    if missing:
        raise ModelError(
            f"the teacher does not know {', '.join(map(repr, missing))}: its classes are "
            f"{', '.join(map(repr, teacher_classes))}; rename or drop the data's classes, or train a "
            "new head on the teacher (teacher.adapt: head)"
        )
    mapped = tuple(place[name] for name in classes)
    return None if mapped == tuple(range(outputs)) else mapped
