"""`PictureSource`: encoded pictures, decoded when they are read; and what all of them must have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from limbeck.data.contents import content_fingerprint
from limbeck.data.files import Chosen, Files
from limbeck.data.images import channels_of, opened, read_pixels, upright_size
from limbeck.data.prefetch import read_ahead
from limbeck.data.reading import Columns, OnCorrupt
from limbeck.data.source import InputSpec
from limbeck.errors import DataError

_MEND = "replace or remove the file, or leave such out with data.on_corrupt: skip"
_LISTED = 3


@dataclass(eq=False)
class PictureSource:
    """Encoded pictures.

    Attributes:
        name: namespace of the ids.
        spec: channels, height and width of all pictures.
        classes: class names.
        ids: example ids.
        labels: class indices.
        paths: the files; `paths[row]` is the relative path where they have one.
        size: (height, width) that pictures are resized to; `None`: they have one size.
        notes: what the user should know: pictures that were left out.
        columns: of the table that they came from, if they did.
        decodes: reading is dear, so that batches are read ahead.
    """

    name: str
    spec: InputSpec
    classes: Sequence[str]
    ids: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]
    paths: Files
    size: tuple[int, int] | None
    notes: tuple[str, ...] = ()
    columns: Columns | None = None
    decodes: bool = True

    def __len__(self) -> int:
        return len(self.paths)

    def path_of(self, row: int) -> Path | IO[bytes]:
        """The file of one row."""
        return self.paths.place(row)

    def read(self, rows: Int[np.ndarray, " b"]) -> NDArray[Any]:
        """Decodes the files of these rows.

        Raises:
            DataError: a file is broken, or is not what it was when the data were opened.
        """
        images = np.empty((len(rows), *self.spec.shape), dtype=np.uint8)
        for place, row in enumerate(rows.tolist()):
            what = self.paths.called(row)
            image = read_pixels(self.paths.place(row), self.spec.shape[0], self.size, what, mend=_MEND)
            if image.shape != self.spec.shape:
                raise DataError(
                    f"{what}: {image.shape} pixels where {self.spec.shape} were found at opening; give data.size"
                )
            images[place] = image
        return images

    def fingerprint(self) -> str:
        """SHA-256 over decoded pixels, ids and labels; decodes every picture once."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return content_fingerprint(self)


def common_shape(files: Files, what: str, size: tuple[int, int] | None, channels: int | None) -> tuple[int, int, int]:
    """Channels, height and width of all pictures; every header is read to make sure, unless both are given.

    Args:
        files: at least one picture.
        what: the folder or table, for messages.
        size: (height, width) that they are resized to.
        channels: 1 or 3, that they are converted to.

    Raises:
        DataError: pictures of several sizes, grey and coloured ones, or unreadable ones.
    """
    depths: dict[int, int] = {} if channels is None else {channels: 0}
    first: tuple[int, int] | None = size
    for row in range(len(files)) if size is None or channels is None else ():
        with opened(files.place(row), files.called(row), mend=_MEND) as image:
            if channels is None:
                depths.setdefault(channels_of(image, files.called(row)), row)
            other = upright_size(image) if size is None else size
        first = first or other
        if other != first:
            raise DataError(
                f"{what}: images of several sizes: {files[0]} is {first[0]} x {first[1]}, "
                f"{files[row]} is {other[0]} x {other[1]}; give data.size: [height, width] to resize them all"
            )
        if len(depths) > 1:
            raise DataError(
                f"{what}: grey and coloured images: {files[depths[1]]} is grey, {files[depths[3]]} in colour; give "
                "data.channels: 3 to read them all in colour (1: all in grey)"
            )
    assert first is not None, "there is at least one image"
    return next(iter(depths)), first[0], first[1]


def without_corrupt(files: Files, name: str, on_corrupt: OnCorrupt) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    """Which pictures can be decoded, where the others are to be left out; each is decoded once to find out.

    Args:
        files: the pictures.
        name: of the source, for the note.
        on_corrupt: "refuse" tries nothing: reading will find them.

    Returns:
        The rows that can be read, in order (`None`: all are kept), and a note about the others.

    Raises:
        DataError: none can be read.
    """
    if on_corrupt == "refuse":
        return None, ()
    reasons = [(row, reason) for row, reason in read_ahead(range(len(files)), _trouble(files)) if reason]
    if not reasons:
        return None, ()
    if len(reasons) == len(files):
        raise DataError(f"{name}: none of {len(files):,} images can be read; the first: {reasons[0][1]}")
    some = "; ".join(reason for _, reason in reasons[:_LISTED]) + ("; ..." if len(reasons) > _LISTED else "")
    note = f"{name}: {len(reasons):,} of {len(files):,} images cannot be read and are left out: {some}"
    kept = np.setdiff1d(np.arange(len(files)), [row for row, _ in reasons], assume_unique=True)
    return kept, (note,)


def chosen(files: Files, rows: NDArray[Any] | None) -> Files:
    """The files of these rows, or all of them."""
    return files if rows is None else Chosen(files, rows)


def _trouble(files: Files) -> Callable[[int], str | None]:
    def why(row: int) -> str | None:
        """Why a picture cannot be read, or nothing."""
        try:
            read_pixels(files.place(row), 3, None, files.called(row), mend="")
        except DataError as error:
            return str(error).removesuffix("; ")
        return None

    return why
