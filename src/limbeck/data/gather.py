"""Moving pixels: geometry is one index map an axis, so that a whole chain of shifts, flips and crops is one gather."""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

OUTSIDE = -1

AxisMap = Int[np.ndarray, "_ _"]
"""Of shape `(b, size)`. For each output row (or column) the input row it comes from, `OUTSIDE` where there is none."""


def after(first: AxisMap | None, then: AxisMap | None) -> AxisMap | None:
    """The map that does `first`, then `then`; `None` leaves the axis as it is.

    Example:
        >>> after(np.array([[-1, 0, 1]]), np.array([[2, 1, 0]]))
        array([[ 1,  0, -1]])
    """
    if first is None or then is None:
        return then if first is None else first
    together = np.take_along_axis(first, np.maximum(then, 0), axis=1)
    together[then == OUTSIDE] = OUTSIDE
    return together


def moved(images: Tensor, rows: AxisMap | None, columns: AxisMap | None, fill: float) -> Tensor:
    """`out[b, c, i, j] = images[b, c, rows[b, i], columns[b, j]]`, and `fill` outside; the type stays.

    Args:
        images: `(b, c, h, w)` of any type.
        rows: map of the height, of shape `(b, h)`.
        columns: map of the width, of shape `(b, w)`.
        fill: value of pixels that come from outside.
    """
    if rows is None and columns is None:
        return images
    b, c, h, w = images.shape
    framed = images.new_full((b * c, h + 1, w + 1), fill)  # OUTSIDE reads the frame: the last row and column
    framed[:, :h, :w] = images.reshape(b * c, h, w)
    if rows is not None:
        lines = np.where(rows == OUTSIDE, h, rows)[:, None, :] + (np.arange(b * c) * (h + 1)).reshape(b, c, 1)
        picked = framed.view(-1, w + 1).index_select(0, _on(lines.reshape(-1), images)).view(b, c, h, w + 1)
    else:
        picked = framed.view(b, c, h + 1, w + 1)[:, :, :h]
    if columns is None:
        return picked[..., :w].contiguous()
    index = _on(np.where(columns == OUTSIDE, w, columns), images)
    return picked.gather(3, index[:, None, None, :].expand(b, c, h, w))


def _on(index: Int[np.ndarray, "..."], images: Tensor) -> Tensor:
    return torch.from_numpy(index.astype(np.int64, copy=False)).to(images.device)
