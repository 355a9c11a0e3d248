"""How objectives get at activations: by tap, in full precision, channels first; errors say what is missing."""

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError, RecipeError
from limbeck.objectives.bridges import Bridge, bridge
from limbeck.objectives.bridges.grids import as_grid
from limbeck.objectives.objective import Needs, Shapes
from limbeck.objectives.positions import real_first, real_positions
from limbeck.objectives.reduce import full_precision
from limbeck.tapping.layout import turned, turned_shape


def read(signals: Signals | None, tap: str | None, who: str, method: str) -> Tensor:
    """What a side says at a tap, or its logits where `tap` is `None`; at least float32.

    A map whose channels stand last, `(b, rows, columns, channels)`, is turned: `limbeck.tapping.layout` says which
    those are.

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
    return full_precision(turned(tap, signals.features[tap]))


def read_both(
    method: str, student: tuple[Signals, str | None], teacher: tuple[Signals | None, str | None]
) -> tuple[Tensor, Tensor]:
    """What both sides say, each given as (signals, tap); see `read`."""
    return read(*student, "student", method), read(*teacher, "teacher", method)


def read_vectors(
    method: str, student: tuple[Signals, str | None], teacher: tuple[Signals | None, str | None], batch: Batch
) -> tuple[Tensor, Tensor]:
    """What both sides say as one vector a row, each given as (signals, tap): for objectives that relate rows.

    Of tokens, the real ones stand first, in their order, and zeros follow: neither what stands in padding, nor how
    much there is of it, nor where it stands, changes a product or a distance between rows. Rows are compared token by
    token, and longer ones are longer vectors; who does not want that taps a layer that pools.

    Raises:
        ModelError: a side says nothing there, or the batch's mask covers another number of tokens.
    """
    mine, other = (_vectors(side, batch.mask, method) for side in read_both(method, student, teacher))
    return mine, other


def _vectors(features: Tensor, mask: Tensor | None, method: str) -> Tensor:
    real = real_positions(features, mask, method)
    return (features if real is None else real_first(features, real)).flatten(1)


def shape_at(shapes: Shapes, tap: str, who: str, method: str) -> tuple[int, ...]:
    """Shape of the activation at a tap as `read` gives it, without the batch axis.

    Raises:
        ModelError: it is not known.
    """
    if tap not in shapes:
        there = ", ".join(map(repr, shapes)) or "none"
        raise ModelError(f"{method} taps the {who} at {tap!r}, but shapes are known at: {there}")
    return turned_shape(tap, tuple(shapes[tap]))


def bridge_at(
    method: str,
    student: tuple[Shapes, str],
    teacher: tuple[Shapes, str],
    *,
    sequence: bool = False,
    learned: bool = False,
    bias: bool = True,
    wanted: tuple[int, ...] | None = None,
) -> Bridge:
    """The bridge between two taps, each given as (shapes, path).

    Args:
        method: for errors.
        student: where the bridge begins.
        teacher: where it ends.
        sequence: for `bridge`, as are the next two.
        learned: likewise.
        bias: likewise.
        wanted: the shape at its end, channels first, of what the objective makes of the teacher's activation; `None`:
            the activation's own.

    Raises:
        ModelError: a shape is not known, or no bridge leads there.
    """
    here = shape_at(*student, "student", method)
    there = shape_at(*teacher, "teacher", method) if wanted is None else wanted
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


def taps_needed(student: str | None, teacher: str | None) -> Needs:
    """One tap a side; `None` reads logits."""
    return Needs(student_taps=() if student is None else (student,), teacher_taps=() if teacher is None else (teacher,))


def bridged(
    method: str, bridge: Bridge | None, student: Tensor, teacher: Tensor, batch: Batch
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Both sides in the teacher's shape, and which tokens are real (`None`: all positions, or there are no tokens).

    Args:
        method: for errors.
        bridge: from `build`.
        student: the student's activation.
        teacher: the teacher's.
        batch: its mask says which positions are padding.

    Returns:
        Student, teacher (without gradient), mask of the teacher's tokens.

    Raises:
        ModelError: there is no bridge yet, shapes are not those it was built for, or padded sequences were taken for
            pixels.
    """
    crossing, other = built(bridge, method), teacher.detach()
    real = real_positions(student, batch.mask, method)
    if real is not None and crossing.takes_tokens_for_pixels:
        raise ModelError(
            f"{method}: the batch has padding, but {student.shape[1]} tokens were bridged as pixels of a square; tap "
            "layers with equally many tokens, or use pkd or tinybert-hidden, which bridge sequences"
        )
    mine = crossing(student, real)
    same_shape(mine, other, method)
    if real is None or other.ndim != 3:
        return mine, other, real_positions(other, batch.mask, method) if real is None else None
    return mine, other, crossing.mask_of(real)


def as_many(argument: str, taps: Sequence[str], counts: tuple[int, ...] | None = None) -> tuple[str, ...]:
    """So many paths, as a tuple; `None`: two or more.

    Raises:
        RecipeError: there are more or fewer.
    """
    right = len(taps) > 1 if counts is None else len(taps) in counts
    if isinstance(taps, str) or not right:
        wanted = "two or more" if counts is None else " or ".join(map(str, counts))
        raise RecipeError(f"{argument}: expected {wanted} paths of parts of the model, got {taps!r}")
    return tuple(taps)


def grid_shape(shapes: Shapes, tap: str, who: str, method: str) -> tuple[int, int, int]:
    """`(channels, rows, columns)` of the activation at a tap, tokens of a square read as pixels.

    Raises:
        ModelError: it is no grid, or not known.
    """
    shape = shape_at(shapes, tap, who, method)
    channels, rows, columns = as_grid(torch.empty(1, *shape), f"{method}: the {who}'s activation at {tap!r}").shape[1:]
    return channels, rows, columns
