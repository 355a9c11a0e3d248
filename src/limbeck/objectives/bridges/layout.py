"""What an activation's shape means, the batch axis left out: a vector, tokens, or a pixel grid."""

from dataclasses import dataclass
from math import isqrt

PREFIXES = (0, 1, 2, 5)
"""Tokens that may stand before those of the pixels: none; class; class and distillation; class and four registers."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A shape, read.

    Attributes:
        kind: "vector" `(channels,)`, "tokens" `(tokens, channels)` or "grid" `(channels, rows, columns)`.
        channels: width of what stands at each position.
        tokens: how many there are, where `kind` is "tokens".
        grid: (rows, columns), of a grid and of tokens that are one.
        prefix: tokens before those of the grid.
    """

    kind: str
    channels: int
    tokens: int = 0
    grid: tuple[int, int] | None = None
    prefix: int = 0


def layout(shape: tuple[int, ...]) -> Layout | None:
    """The shape's meaning, or `None` where it has none here.

    Tokens are pixels where their number is a square, or a square and a usual prefix (see `PREFIXES`).

    Example:
        >>> layout((197, 384))
        Layout(kind='tokens', channels=384, tokens=197, grid=(14, 14), prefix=1)
        >>> layout((3, 8))
        Layout(kind='tokens', channels=8, tokens=3, grid=None, prefix=0)
        >>> layout((8, 7, 5)).grid
        (7, 5)
    """
    if len(shape) == 1:
        return Layout("vector", shape[0])
    if len(shape) == 3:
        return Layout("grid", shape[0], grid=(shape[1], shape[2]))
    if len(shape) != 2:
        return None
    tokens, channels = shape
    for prefix in PREFIXES:
        side = isqrt(max(tokens - prefix, 0))
        if side > 1 and side * side == tokens - prefix:
            return Layout("tokens", channels, tokens, (side, side), prefix)
    return Layout("tokens", channels, tokens)
