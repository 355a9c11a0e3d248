"""Image folders: a class a subfolder, or unlabelled images; decoded when they are read."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from limbeck.core.identity import ids_of_keys
from limbeck.data.files import Files, Paths
from limbeck.data.images import SUFFIXES, shown
from limbeck.data.labels import UNKNOWN, with_classes
from limbeck.data.pictures import PictureSource, chosen, common_shape, without_corrupt
from limbeck.data.reading import OnCorrupt
from limbeck.data.source import InputSpec
from limbeck.data.spool import parked
from limbeck.errors import DataError


def open_folder(
    root: Path,
    *,
    name: str,
    labelled: bool,
    classes: Sequence[str] | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    on_corrupt: OnCorrupt = "refuse",
) -> PictureSource:
    """Images below `root`: those of a subfolder are of the class of that name; without subfolders none is labelled.

    Args:
        root: the folder; hidden files and folders are passed over, links are followed.
        name: namespace of the ids.
        labelled: false takes all images as unlabelled, wherever they lie.
        classes: class names in the order wanted; by default the subfolders' in sorted order.
        size: (height, width) to resize to.
        channels: 1 (grey) or 3 (RGB); by default what all images have.
        on_corrupt: "skip" leaves out images that cannot be decoded; each is decoded once to find them.

    Raises:
        DataError: no images, loose images beside class folders, images of several sizes, grey and coloured ones where
            `channels` is not given, or unreadable ones.
    """
    folders = sorted(shown(entry.name) for entry in root.iterdir() if entry.is_dir() and _is_visible(entry.name))
    found = sorted(_images_below(root))
    if not found:
        raise DataError(f"{root}: no images; looked for {', '.join(sorted(SUFFIXES))}; found {_some_of(root)}")
    own = tuple(folders) if labelled and folders else None
    index = {folder: label for label, folder in enumerate(own or ())}
    labels = np.array([index.get(shown(path.partition("/")[0]), UNKNOWN) for path in found], dtype=np.int32)
    if own is not None and (labels == UNKNOWN).any():
        loose = shown(found[int(np.flatnonzero(labels == UNKNOWN)[0])])
        raise DataError(
            f"{root}: {int((labels == UNKNOWN).sum())} images lie beside the class folders ({loose}, ...); "
            "move each into its class's folder, or into a folder of their own (data.unlabelled)"
        )
    labels, names = with_classes(labels, own=own, given=classes, what=name)
    files: Files = Paths(root, found)
    kept, notes = without_corrupt(files, name, on_corrupt)
    if kept is not None:
        found, labels, files = [found[row] for row in kept.tolist()], labels[kept], chosen(files, kept)
    spec = InputSpec("image", common_shape(files, shown(root), size, channels), "uint8")
    return PictureSource(name, spec, names, parked(ids_of_keys(name, found)), parked(labels), files, size, notes)


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
    names = sorted(shown(entry.name) for entry in root.iterdir())
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "nothing"
