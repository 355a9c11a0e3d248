"""Image folders: a class a subfolder, or unlabelled images; decoded when they are read."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from limbeck.core.identity import ids_of_keys
from limbeck.data.contents import content_fingerprint
from limbeck.data.images import SUFFIXES, channels_of, opened, read_pixels, upright_size
from limbeck.data.labels import UNKNOWN, with_classes
from limbeck.data.source import InputSpec
from limbeck.data.spool import mapped, parked, spool
from limbeck.errors import DataError


@dataclass(eq=False)
class FolderSource:
    """Images below a folder.

    Attributes:
        name: namespace of the ids, which hash the paths below `root`.
        spec: channels, height and width of all images.
        classes: class names.
        ids: example ids.
        labels: class indices.
        root: the folder.
        size: (height, width) that images are resized to; `None`: they have one size.
        paths: the relative paths.
        decodes: reading is dear, so that batches are read ahead.
    """

    name: str
    spec: InputSpec
    classes: Sequence[str]
    ids: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]
    root: Path
    size: tuple[int, int] | None
    paths: "Texts"
    decodes: bool = True

    def __len__(self) -> int:
        return len(self.paths)

    def path_of(self, row: int) -> Path:
        """The file of one row."""
        return self.root / self.paths[row]

    def read(self, rows: Int[np.ndarray, " b"]) -> NDArray[Any]:
        """Decodes the files of these rows.

        Raises:
            DataError: a file is broken, or is not what it was when the folder was opened.
        """
        images = np.empty((len(rows), *self.spec.shape), dtype=np.uint8)
        for place, row in enumerate(rows.tolist()):
            path = self.path_of(row)
            image = read_pixels(path, self.spec.shape[0], self.size)
            if image.shape != self.spec.shape:
                raise DataError(
                    f"{path}: {image.shape} pixels where {self.spec.shape} were found at opening; give data.size"
                )
            images[place] = image
        return images

    def fingerprint(self) -> str:
        """SHA-256 over decoded pixels, ids and labels; decodes every image once."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return content_fingerprint(self)


class Texts:
    """Many texts in a spool: no memory however many there are."""

    def __init__(self, texts: Sequence[str]) -> None:
        encoded = [os.fsencode(text) for text in texts]
        self._ends = parked(np.cumsum([0, *map(len, encoded)], dtype=np.int64))
        with spool() as file:
            file.writelines(encoded)
            self._blob = mapped(file, np.uint8, (int(self._ends[-1]),))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, row: int) -> str:
        return os.fsdecode(self._blob[self._ends[row] : self._ends[row + 1]].tobytes())


def open_folder(
    root: Path,
    *,
    name: str,
    labelled: bool,
    classes: Sequence[str] | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> FolderSource:
    """Images below `root`: those of a subfolder are of the class of that name; without subfolders none is labelled.

    Args:
        root: the folder; hidden files and folders are passed over, links are followed.
        name: namespace of the ids.
        labelled: false takes all images as unlabelled, wherever they lie.
        classes: class names in the order wanted; by default the subfolders' in sorted order.
        size: (height, width) to resize to.
        channels: 1 (grey) or 3 (RGB); by default what all images have.

    Raises:
        DataError: no images, loose images beside class folders, images of several sizes, grey and coloured ones where
            `channels` is not given, or unreadable ones.
    """
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and _is_visible(entry.name))
    found = sorted(_images_below(root))
    if not found:
        raise DataError(f"{root}: no images; looked for {', '.join(sorted(SUFFIXES))}; found {_some_of(root)}")
    own = tuple(folders) if labelled and folders else None
    index = {folder: label for label, folder in enumerate(own or ())}
    labels = np.array([index.get(path.partition("/")[0], UNKNOWN) for path in found], dtype=np.int32)
    if own is not None and (labels == UNKNOWN).any():
        loose = found[int(np.flatnonzero(labels == UNKNOWN)[0])]
        raise DataError(
            f"{root}: {int((labels == UNKNOWN).sum())} images lie beside the class folders ({loose}, ...); "
            "move each into its class's folder, or into a folder of their own (data.unlabelled)"
        )
    labels, names = with_classes(labels, own=own, given=classes, what=name)
    shape = _shape(root, found, size, channels)
    ids = ids_of_keys(name, found)
    return FolderSource(
        name, InputSpec("image", shape, "uint8"), names, parked(ids), parked(labels), root, size, Texts(found)
    )


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


def _images_below(root: Path) -> Iterator[str]:
    """Paths of images relative to `root`, with forward slashes whatever the system's are, so that ids are portable."""
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if _is_visible(name)]
        below = Path(folder).relative_to(root)
        for file in files:
            if _is_visible(file) and Path(file).suffix.lower() in SUFFIXES:
                yield (below / file).as_posix()


def _some_of(root: Path, most: int = 4) -> str:
    names = sorted(entry.name for entry in root.iterdir())
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "nothing"


def _shape(
    root: Path, found: Sequence[str], size: tuple[int, int] | None, channels: int | None
) -> tuple[int, int, int]:
    """Channels, height and width of all images; every header is read to make sure, unless both are given."""
    depths: dict[int, str] = {} if channels is None else {channels: found[0]}
    first: tuple[int, int] | None = size
    for path in found if size is None or channels is None else ():
        with opened(root / path) as image:
            if channels is None:
                depths.setdefault(channels_of(image, str(root / path)), path)
            other = upright_size(image) if size is None else size
        first = first or other
        if other != first:
            raise DataError(
                f"{root}: images of several sizes: {found[0]} is {first[0]} x {first[1]}, "
                f"{path} is {other[0]} x {other[1]}; give data.size: [height, width] to resize them all"
            )
        if len(depths) > 1:
            raise DataError(
                f"{root}: grey and coloured images: {depths[1]} is grey, {depths[3]} in colour; give data.channels: 3 "
                "to read them all in colour (1: all in grey)"
            )
    assert first is not None, "there is at least one image"
    return next(iter(depths)), first[0], first[1]
