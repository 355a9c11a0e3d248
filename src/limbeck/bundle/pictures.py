"""Pictures for a finished student, read as training read them."""

from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from limbeck.bundle.asked import Example, Pending, expected
from limbeck.bundle.config import InputConfig
from limbeck.core.optional import require
from limbeck.errors import DataError

_PLAIN_CHANNELS = (1, 3)


def picture(file: Path, spec: InputConfig, content: IO[bytes] | None = None) -> Pending:
    """One picture, not yet read.

    Args:
        file: its path.
        spec: what the student takes.
        content: where the bytes come from, unless from the file.
    """
    return Example(file), partial(_load, file, spec, content)


def _load(file: Path, spec: InputConfig, content: IO[bytes] | None) -> tuple[NDArray[Any], str | None]:
    """Pixels `(channels, height, width)`, and whether they had to be resized."""
    if spec.kind != "image":
        raise DataError(f"{file}: this student takes {expected(spec)}, not pictures: give .npy, .npz or .csv files")
    channels, height, width = spec.shape
    if channels not in _PLAIN_CHANNELS:
        raise DataError(f"{file}: this student takes {channels} channels; give .npy or .npz files ({expected(spec)})")
    require("PIL", extra=None, purpose="reading pictures")
    from limbeck.data.images import opened, pixels, shown, upright_size

    with opened(content or file, shown(file)) as image:
        found = upright_size(image)
        raw: NDArray[np.uint8] = pixels(image, channels, (height, width), shown(file))
    resized = found != (height, width)
    return raw, f"resized from {found[1]} x {found[0]} to {width} x {height} pixels" if resized else None
