"""How arrays of inputs are read: uint8 pictures become channels-first images, everything else float32 arrays."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limbeck.data.source import InputSpec
from limbeck.data.spool import CHUNK_BYTES
from limbeck.errors import DataError

_CHANNELS = (1, 3, 4)
_IMAGE_AXES = (3, 4)


def as_numpy(x: Any) -> NDArray[Any]:  # noqa: ANN401 - whatever a user holds his numbers in
    """NumPy arrays as they are, torch tensors detached, anything else through `np.asarray`."""
    torch = sys.modules.get("torch")  # no tensor can come from a torch that nobody has loaded
    if torch is not None and isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        return np.asarray((x.float() if x.dtype == torch.bfloat16 else x).numpy())
    return np.asarray(x)


def laid_out(x: NDArray[Any], what: str) -> tuple[NDArray[Any], InputSpec]:
    """A view of `x` with the batch first and channels second, and what one example of it is.

    uint8 of shape `(n, h, w)`, `(n, c, h, w)` or `(n, h, w, c)` with 1, 3 or 4 channels is images; where both layouts
    would fit, channels first is meant. Other numbers are arrays of any shape, float32 when read. Nothing is copied.

    Args:
        x: one row an example.
        what: where it came from, for messages.

    Raises:
        DataError: not numbers, no rows' axis, or an image of another layout.

    Example:
        >>> str(laid_out(np.zeros((5, 32, 32, 3), np.uint8), "x")[1])
        'uint8 image, 3 x 32 x 32'
    """
    if x.dtype.kind not in "biuf":
        raise DataError(f"{what}: inputs are of type {x.dtype}; give numbers (uint8 for images, float32 for arrays)")
    if x.ndim == 0:
        raise DataError(f"{what}: inputs are a single number; give one row an example")
    if x.dtype == np.uint8 and x.ndim in _IMAGE_AXES:
        x = _channels_first(x, what)
        return x, InputSpec("image", tuple(x.shape[1:]), "uint8")
    if x.ndim == 1:
        x = x[:, None]
    return x, InputSpec("array", tuple(x.shape[1:]), "float32")


def _channels_first(x: NDArray[Any], what: str) -> NDArray[Any]:
    if x.ndim == min(_IMAGE_AXES):
        return x[:, None]
    if x.shape[1] in _CHANNELS:
        return x
    if x.shape[3] in _CHANNELS:
        return x.transpose(0, 3, 1, 2)
    raise DataError(
        f"{what}: uint8 inputs of shape {x.shape} are no images with 1, 3 or 4 channels; "
        "give (n, channels, height, width), or float32 if they are not images"
    )


def check_finite(x: NDArray[Any], what: str) -> None:
    """Looks at all numbers, in chunks.

    Raises:
        DataError: NaN or infinity (as float32), naming the first row.
    """
    if x.dtype.kind in "biu" or not len(x):
        return
    size = max(1, CHUNK_BYTES // max(1, x[:1].nbytes))
    for start in range(0, len(x), size):
        with np.errstate(over="ignore"):
            chunk = x[start : start + size].astype(np.float32, copy=False)
        wrong = np.flatnonzero(~np.isfinite(chunk).reshape(len(chunk), -1).all(axis=1))
        if wrong.size:
            raise DataError(
                f"{what}: the input of row {start + int(wrong[0])} holds NaN or infinity (as float32); "
                "remove the row or fill the gaps"
            )
