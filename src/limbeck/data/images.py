"""Image files: decoded to uint8, upright, channels first."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from limbeck.errors import DataError, LimbeckError

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"))
_GREY_MODES = ("1", "L", "LA", "La")
_ORIENTATION = 0x0112
_FIRST_TRANSPOSED = 5
_WIDTH, _HEIGHT = 256, 257
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
_MEND = "replace or remove the file"


def channels_of(image: Image.Image, what: str) -> int:
    """1 for grey and black-and-white pictures, 3 for all others.

    Raises:
        DataError: brightness without a fixed range (32 bits, floats).
    """
    return 1 if image.mode in _GREY_MODES or _grey_bits(image, what) else 3


def _grey_bits(image: Image.Image, what: str) -> int:
    """Bits of a grey picture of more than 8; 0 for all others."""
    if image.mode.startswith("I;16"):
        bits = getattr(image, "tag_v2", {}).get(_BITS, (16,))
        return int(bits[0])
    if image.mode == "I" and image.format == "PPM":
        return 16  # Pillow spreads whatever the file's maximum is over 16 bits
    if image.mode in ("I", "F"):
        raise DataError(
            f"{what}: a picture of mode {image.mode}, whose values have no fixed range; save it with 8 or 16 bits, or "
            "give the numbers as a float32 array (.npy)"
        )
    return 0


def _eight_bits(image: Image.Image, bits: int) -> Image.Image:
    """The eight highest bits: white stays white, black stays black (Pillow does the same with 16-bit colour)."""
    values = np.asarray(image).astype(np.int64) >> (bits - 8)
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = 255 - values  # done for 8 bits, but not for 16
    shallow = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    shallow.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return shallow


def pixels(image: Image.Image, channels: int, size: tuple[int, int] | None, what: str) -> UInt8[np.ndarray, "c h w"]:
    """Upright (EXIF), with that many channels, and resized (bilinear, antialiased) where a size is given.

    Of an animation or a file of several pages the first picture is taken. Transparency is dropped: the colour beneath
    it shows, as it does in torchvision. 16-bit values keep their eight highest bits, colours become grey by ITU-R 601.

    Raises:
        DataError: brightness without a fixed range (32 bits, floats).
    """
    bits = _grey_bits(image, what)
    image = ImageOps.exif_transpose(_eight_bits(image, bits) if bits else image)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB, Pillow warns
    image = image.convert("L" if channels == 1 else "RGB")
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def read_pixels(
    place: Path | IO[bytes], channels: int, size: tuple[int, int] | None, what: str | None = None, *, mend: str = _MEND
) -> UInt8[np.ndarray, "c h w"]:
    """One file, decoded.

    Args:
        place: the file.
        channels: 1 or 3.
        size: (height, width) to resize to.
        what: names the file in messages; by default its path.
        mend: what to do about a broken one, for messages.

    Raises:
        DataError: missing, no image, broken or truncated.
    """
    with opened(place, what, mend=mend) as image:
        return pixels(image, channels, size, what or shown(place))


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(height, width) after EXIF orientation, from the header where the format allows."""
    width, height = image.size
    if image.format == "TIFF":  # whose size Pillow may have turned already
        tags = getattr(image, "tag_v2", {})
        width, height = int(tags.get(_WIDTH, width)), int(tags.get(_HEIGHT, height))
    if width == height or (image.format == "PNG" and "exif" not in image.info):
        return height, width  # a PNG without early EXIF would have to be decoded to be asked
    turned = image.getexif().get(_ORIENTATION, 1) >= _FIRST_TRANSPOSED
    return (width, height) if turned else (height, width)


@contextmanager
def opened(place: Path | IO[bytes], what: str | None = None, *, mend: str = _MEND) -> Iterator[Image.Image]:
    """The picture, its header read; whatever goes wrong with it becomes a `DataError` that names the file.

    Args:
        place: the file.
        what: names the file in messages; by default its path.
        mend: what to do about a broken one, for messages.

    Yields:
        The picture, not yet decoded.

    Raises:
        DataError: missing, no image, broken or truncated.
    """
    what = what or shown(place)
    try:
        # as an open file: Pillow maps raw TIFFs that it knows by path, and misreads those that lie on their side
        with place.open("rb") if isinstance(place, Path) else nullcontext(place) as file, Image.open(file) as image:
            yield image
    except FileNotFoundError as error:
        raise DataError(f"{what}: no such file; {mend}") from error
    except (LimbeckError, MemoryError):
        raise
    except Exception as error:  # decoders of broken files raise anything
        reason = "the file is empty" if _is_empty(place) else _reason(error, place)
        raise DataError(f"{what}: cannot be read as an image ({reason}); {mend}") from error


def _is_empty(place: Path | IO[bytes]) -> bool:
    if isinstance(place, Path):
        return place.is_file() and place.stat().st_size == 0
    return place.seek(0, os.SEEK_END) == 0


def _reason(error: Exception, place: Path | IO[bytes]) -> str:
    """What the decoder complained about, without the path that the message begins with anyway."""
    if isinstance(error, UnidentifiedImageError):
        return "of no known format"
    lines = str(error).replace(str(place), shown(place)).splitlines()
    return lines[0] if lines else type(error).__name__


def shown(place: Path | str | IO[bytes]) -> str:
    r"""A path as text that can be printed and saved: bytes that are no UTF-8 are written as \xNN.

    Example:
        >>> shown(os.fsdecode(b"caf\xe9.png"))
        'caf\\xe9.png'
    """
    return os.fsencode(place).decode(errors="backslashreplace") if isinstance(place, str | Path) else "the picture"


def is_picture(value: Any) -> bool:  # noqa: ANN401 - a type test
    """Whether it is a Pillow image."""
    return isinstance(value, Image.Image)
