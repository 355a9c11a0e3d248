"""Image files: decoded to uint8, upright, channels first."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from limbeck.errors import DataError

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"))
_GREY_MODES = ("1", "L", "LA")
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_ORIENTATION = 0x0112
_FIRST_TRANSPOSED = 5


def channels_of(image: Image.Image, what: str) -> int:
    """1 for grey and black-and-white pictures, 3 for all others.

    Raises:
        DataError: more than 8 bits a channel.
    """
    if image.mode in _DEEP_MODES:
        raise DataError(f"{what}: a picture of mode {image.mode} (more than 8 bits a channel); convert it to 8 bits")
    return 1 if image.mode in _GREY_MODES else 3


def pixels(image: Image.Image, channels: int, size: tuple[int, int] | None, what: str) -> UInt8[np.ndarray, "c h w"]:
    """Upright (EXIF), with that many channels, and resized (bilinear, antialiased) where a size is given.

    Transparency is dropped, colours become grey by ITU-R 601.

    Raises:
        DataError: more than 8 bits a channel.
    """
    channels_of(image, what)
    image = ImageOps.exif_transpose(image)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB, Pillow warns
    image = image.convert("L" if channels == 1 else "RGB")
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def read_pixels(path: Path, channels: int, size: tuple[int, int] | None) -> UInt8[np.ndarray, "c h w"]:
    """One file, decoded.

    Raises:
        DataError: missing, no image, broken or truncated.
    """
    with opened(path) as image:
        return pixels(image, channels, size, str(path))


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(height, width) after EXIF orientation, from the header where the format allows."""
    width, height = image.size
    if width == height or (image.format == "PNG" and "exif" not in image.info):
        return height, width  # a PNG without early EXIF would have to be decoded to be asked
    turned = image.getexif().get(_ORIENTATION, 1) >= _FIRST_TRANSPOSED
    return (width, height) if turned else (height, width)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The picture, its header read; whatever goes wrong with it becomes a `DataError` that names the file.

    Yields:
        The picture, not yet decoded.

    Raises:
        DataError: missing, no image, broken or truncated.
    """
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; it was there when the data were opened") from error
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as an image ({error}); replace or remove the file") from error


def is_picture(value: Any) -> bool:  # noqa: ANN401 - a type test
    """Whether it is a Pillow image."""
    return isinstance(value, Image.Image)
