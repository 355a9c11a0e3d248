"""Which steps lead from the student's shape to the teacher's: pure arithmetic on shapes, no modules."""

from dataclasses import dataclass

from limbeck.errors import ModelError
from limbeck.objectives.bridges.layout import PREFIXES, Layout, layout


@dataclass(frozen=True, slots=True)
class ToGrid:
    """Tokens `(prefix + rows * columns, channels)` -> grid; the prefix is left out."""

    prefix: int
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class ToTokens:
    """Grid -> tokens; the mean over all pixels stands in for each token of the prefix."""

    prefix: int


@dataclass(frozen=True, slots=True)
class Resize:
    """Grid -> grid of other size: averaged where it shrinks in both axes, bilinear otherwise."""

    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class ResizeTokens:
    """Tokens of one grid -> tokens of another, each token of the prefix kept as it is."""

    prefix: int
    given: tuple[int, int]
    wanted: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sequence -> sequence of another length, linear in between; padding is left out."""

    tokens: int


@dataclass(frozen=True, slots=True)
class Pool:
    """Grid or tokens -> vector: the mean over all real positions."""


@dataclass(frozen=True, slots=True)
class Channels:
    """Other channels at each position: a 1x1 convolution, or a linear layer on vectors and tokens."""

    given: int
    wanted: int
    grid: bool


Step = ToGrid | ToTokens | Resize | ResizeTokens | Stretch | Pool | Channels


def plan(
    student: tuple[int, ...], teacher: tuple[int, ...], *, sequence: bool = False, learned: bool = False
) -> tuple[Step, ...]:
    """The steps from one shape to another; none where they agree.

    Args:
        student: shape of the activation, without the batch axis: `(channels,)`, `(tokens, channels)` or
            `(channels, rows, columns)`.
        teacher: likewise.
        sequence: whether tokens are a sequence in any case, never the pixels of a square.
        learned: whether channels are mapped although there are equally many.

    Returns:
        What is done in order.

    Raises:
        ModelError: no bridge leads there; says why, and what to tap instead.

    Example:
        >>> plan((16, 7, 7), (16, 7, 7))
        ()
        >>> plan((50, 64), (32, 14, 14))
        (ToGrid(prefix=1, rows=7, columns=7), Resize(rows=14, columns=14), Channels(given=64, wanted=32, grid=True))
    """
    here, there = _read(student, "student", student, teacher), _read(teacher, "teacher", student, teacher)
    steps = _positions(here, there, sequence=sequence)
    if steps is None:
        raise _no_way(student, teacher, here, there)
    if learned or here.channels != there.channels:
        steps = (*steps, Channels(here.channels, there.channels, there.kind == "grid"))
    return steps


def _read(shape: tuple[int, ...], who: str, student: tuple[int, ...], teacher: tuple[int, ...]) -> Layout:
    read = layout(shape)
    if read is None or min(shape) < 1:
        raise ModelError(
            f"no bridge from the student's {student} to the teacher's {teacher}: the {who}'s is neither (channels,), "
            "(tokens, channels) nor (channels, rows, columns); tap another layer"
        )
    return read


def _positions(here: Layout, there: Layout, *, sequence: bool) -> tuple[Step, ...] | None:
    """Everything but the channels; `None` where nothing leads there."""
    if here.kind == there.kind == "tokens":
        return _between_tokens(here, there, sequence=sequence)
    if there.kind == "vector":
        return () if here.kind == "vector" else (Pool(),)
    if here.grid is None or there.grid is None or (sequence and "tokens" in (here.kind, there.kind)):
        return None
    steps: tuple[Step, ...] = (ToGrid(here.prefix, *here.grid),) if here.kind == "tokens" else ()
    if here.grid != there.grid:
        steps = (*steps, Resize(*there.grid))
    return (*steps, ToTokens(there.prefix)) if there.kind == "tokens" else steps


def _between_tokens(here: Layout, there: Layout, *, sequence: bool) -> tuple[Step, ...]:
    if here.tokens == there.tokens:
        return ()
    if sequence or here.grid is None or there.grid is None:
        return (Stretch(there.tokens),)
    if here.prefix == there.prefix:
        return (ResizeTokens(here.prefix, here.grid, there.grid),)
    resized: tuple[Step, ...] = (Resize(*there.grid),) if here.grid != there.grid else ()
    return (ToGrid(here.prefix, *here.grid), *resized, ToTokens(there.prefix))


def _no_way(student: tuple[int, ...], teacher: tuple[int, ...], here: Layout, there: Layout) -> ModelError:
    between = f"no bridge from the student's {student} to the teacher's {teacher}"
    if here.kind == "vector":
        return ModelError(f"{between}: a vector has no positions; tap the student before it pools")
    uneven = here if here.kind == "tokens" else there
    prefixes = ", ".join(str(prefix) for prefix in PREFIXES)
    return ModelError(
        f"{between}: {uneven.tokens} tokens are no square grid, after {prefixes} leading tokens or none; tap a layer "
        "whose tokens are pixels of a square, or one that gives (channels, rows, columns)"
    )
