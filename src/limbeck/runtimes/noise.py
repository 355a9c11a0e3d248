"""Made-up examples: what an exported file is timed and compared on where no data are at hand."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def noise(shape: tuple[int, ...], dtype: str, rows: int, *, seed: int = 0) -> NDArray[Any]:
    """Integers are uniform over 0 to 255, or what their type has of it; others are standard normal.

    Args:
        shape: of one example.
        dtype: NumPy name.
        rows: how many.
        seed: the same seed gives the same examples.

    Returns:
        `(rows, *shape)`.

    Example:
        >>> noise((1, 2, 2), "uint8", 3).shape
        (3, 1, 2, 2)
    """
    draw = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        return draw.integers(0, min(np.iinfo(kind).max, 255) + 1, (rows, *shape)).astype(kind)
    return draw.standard_normal((rows, *shape)).astype(kind)
