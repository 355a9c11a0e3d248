"""How objectives get at activations: by tap, in full precision, with an error that says what is missing."""

from typing import TypeVar

import torch
from jaxtyping import Bool
from torch import Tensor

from limbeck.core.signals import Signals
from limbeck.errors import ModelError, RecipeError
from limbeck.objectives.bridges import Bridge, bridge
from limbeck.objectives.objective import Needs, Shapes
from limbeck.objectives.reduce import full_precision
from limbeck.objectives.text import number


def read(signals: Signals | None, tap: str | None, who: str, method: str) -> Tensor:
    """What a side says at a tap, or its logits where `tap` is `None`; at least float32.

    Args:
        signals: of one side.
        tap: path of a part of the model.
        who: "student" or "teacher", for the error.
        method: for the error.

    Raises:
        ModelError: it says nothing there.
    """
    if signals is None:
        raise ModelError(f"{method} needs a {who}'s answer; give a {who}")
    if tap is None:
        if signals.logits is None:
            raise ModelError(f"{method} needs the {who}'s logits, all of them; name a tap, or use signal: logits")
        return full_precision(signals.logits)
    if tap not in signals.features:
        there = ", ".join(map(repr, signals.features)) or "none"
        raise ModelError(f"{method} reads the {who}'s activation at {tap!r}, but the taps read are: {there}")
    return full_precision(signals.features[tap])


def shape_at(shapes: Shapes, tap: str, who: str, method: str) -> tuple[int, ...]:
    """Shape of the activation at a tap, without the batch axis.

    Raises:
        ModelError: it is not known.
    """
    if tap not in shapes:
        there = ", ".join(map(repr, shapes)) or "none"
        raise ModelError(f"{method} taps the {who} at {tap!r}, but shapes are known at: {there}")
    return tuple(shapes[tap])


def bridge_at(
    method: str,
    student: tuple[Shapes, str],
    teacher: tuple[Shapes, str],
    *,
    sequence: bool = False,
    learned: bool = False,
    bias: bool = True,
) -> Bridge:
    """The bridge between two taps, each given as (shapes, path); the rest is for `bridge`.

    Raises:
        ModelError: a shape is not known, or no bridge leads there.
    """
    here = shape_at(*student, "student", method)
    there = shape_at(*teacher, "teacher", method)
    try:
        return bridge(here, there, sequence=sequence, learned=learned, bias=bias)
    except ModelError as error:
        raise ModelError(f"{method} from {student[1]!r} to {teacher[1]!r}: {error}") from error


_T = TypeVar("_T")


def built(part: _T | None, method: str) -> _T:
    """What `build` made.

    Raises:
        ModelError: it was not called.
    """
    if part is None:
        raise ModelError(f"{method} has no bridges yet; call build(student_shapes, teacher_shapes) before training")
    return part


def same_shape(student: Tensor, teacher: Tensor, method: str) -> None:
    """Refuses what would broadcast silently.

    Raises:
        ModelError: the shapes differ.
    """
    if student.shape != teacher.shape:
        raise ModelError(
            f"{method} compares the student's {tuple(student.shape)} with the teacher's {tuple(teacher.shape)}, which "
            "must be alike; tap layers of one layout, or an input of the size that shapes were taken from"
        )


def real_positions(features: Tensor, mask: Tensor | None, method: str) -> Bool[Tensor, "b tokens"] | None:
    """Which tokens are real, for activations `(b, tokens, channels)`; `None`: all positions, as in grids and vectors.

    Raises:
        ModelError: the batch's mask covers another number of tokens.
    """
    if mask is None or features.ndim != 3:
        return None
    if mask.shape != features.shape[:2]:
        raise ModelError(
            f"{method}: the batch's mask has shape {tuple(mask.shape)}, the activation {tuple(features.shape)}; tap a "
            "layer that keeps one token a position of the input"
        )
    return mask.bool()


def real_only(features: Tensor, real: Tensor | None) -> Tensor:
    """Zeros where a token is padding, whatever stood there."""
    return features if real is None else torch.where(real[:, :, None], features, torch.zeros_like(features))


def taps_needed(student: str | None, teacher: str | None) -> Needs:
    """One tap a side; `None` reads logits."""
    return Needs(student_taps=() if student is None else (student,), teacher_taps=() if teacher is None else (teacher,))


def arguments(*positional: str | None, **named: tuple[object, object]) -> str:
    """The text of an objective's arguments: taps first, then each setting whose value is not its default.

    Args:
        *positional: taps, in the constructor's order; those that are `None` may only stand last.
        **named: name -> (value, default).

    Example:
        >>> arguments("layer2", "blocks.3", variant=("paper", "paper"), power=(3.0, 2.0))
        "'layer2', 'blocks.3', power=3"
    """
    taps = list(positional)
    while taps and taps[-1] is None:
        taps.pop()
    settings = [f"{name}={_text(value)}" for name, (value, default) in named.items() if value != default]
    return ", ".join([*(repr(tap) for tap in taps), *settings])


def _text(value: object) -> str:
    return number(value) if isinstance(value, float) else repr(value)


def check_choice(argument: str, value: str, choices: tuple[str, ...]) -> str:
    """The value, if it is one of those there are.

    Raises:
        RecipeError: it is not.
    """
    if value not in choices:
        raise RecipeError(f"{argument}: {value!r} is none of {', '.join(choices)}")
    return value


def check_above(argument: str, value: float, least: float, *, inclusive: bool = False) -> float:
    """The value, if it is finite and above `least`.

    Raises:
        RecipeError: it is not.
    """
    if not (least <= value < float("inf") if inclusive else least < value < float("inf")):
        wanted = f"at least {least:g}" if inclusive else f"above {least:g}"
        raise RecipeError(f"{argument}: {value} is not a finite number {wanted}")
    return value
