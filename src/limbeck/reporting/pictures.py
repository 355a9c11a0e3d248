"""Examples as pictures inside the page: PNG where pixels count, JPEG where they are many."""

import base64
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from limbeck.reporting.inputs import AbsentError

PIXELATED = 64
"""Pictures of at most so many pixels a side are shown as they are, pixel by pixel; larger ones are shrunk."""

SHRUNK = 112
"""Longer side, in pixels, of a picture that is shrunk."""


def data_uri(picture: UInt8[np.ndarray, "c h w"]) -> str:
    """One picture as a `data:` address.

    Raises:
        AbsentError: it has neither 1 (grey), 3 (colour) nor 4 (colour and opacity) channels.

    Example:
        >>> data_uri(np.zeros((1, 2, 2), dtype=np.uint8))[:22]
        'data:image/png;base64,'
    """
    channels, height, width = picture.shape
    if channels not in (1, 3, 4):
        raise AbsentError(f"the samples have {channels} channels, which no picture can show")
    image = Image.fromarray(picture[0] if channels == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0)))
    buffer = BytesIO()
    if is_pixelated(height, width):
        image.save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        image.thumbnail((SHRUNK, SHRUNK))
        image.convert("RGB").save(buffer, "JPEG", quality=80)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def is_pixelated(height: int, width: int) -> bool:
    """Whether a picture is small enough for its pixels to be seen one by one."""
    return max(height, width) <= PIXELATED
