"""`open_source`: whatever a user calls data, as a `Source`."""

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from limbeck.data.dataset import map_style, open_dataset
from limbeck.data.digits import open_digits
from limbeck.data.folder import open_folder
from limbeck.data.foreign import from_code, names_code
from limbeck.data.held import held
from limbeck.data.hub import brings_split as hub_brings
from limbeck.data.hub import is_hub, is_object, is_saved, open_hub, open_object, place
from limbeck.data.idx import brings as brings_idx
from limbeck.data.idx import image_files, looks_like_idx, open_idx
from limbeck.data.images import shown
from limbeck.data.labels import UNKNOWN, distinct, unknown
from limbeck.data.layout import as_numpy
from limbeck.data.memory import from_arrays
from limbeck.data.npz import holds_npy, open_npy, open_npz
from limbeck.data.prefetch import decodes
from limbeck.data.read_table import read_table
from limbeck.data.reading import AS_THEY_ARE, Reading
from limbeck.data.source import Source
from limbeck.data.split_names import SPLITS, WORDS
from limbeck.data.subset import Relabelled, align_classes
from limbeck.data.table import Table
from limbeck.data.table_files import brings_table, is_pattern, is_table, matching, of_split, open_tables, tables_in
from limbeck.errors import DataError, InputError
from limbeck.task import Task

_SPLIT_FOLDERS = frozenset(name for names in WORDS.values() for name in names)
_SOURCE_MEMBERS = ("name", "spec", "classes", "ids", "labels", "read", "fingerprint", "__len__")
_ENDINGS = re.compile(r"(\.(npz|npy|idx|csv|tsv|parquet|pq|gz))+$")
_PAIR = 2
_CHECKED_ROWS = 4


def open_source(
    where: Any,  # noqa: ANN401 - a path, arrays, a data set or a source
    *,
    split: str,
    name: str | None = None,
    classes: Sequence[str] | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    reading: Reading = AS_THEY_ARE,
) -> Source:
    """Opens data of any kind that Limbeck reads.

    Args:
        where: "digits"; a path (an IDX folder or file, `.npz`, `.npy`, a table in CSV, TSV or Parquet, a folder or a
            pattern of tables, a saved Hugging Face data set, an image folder; `./digits` for a folder of that name);
            "hf:owner/name" or "hf:./folder"; "module:function", where `reading` trusts code; arrays `x` or `(x, y)` of
            NumPy or torch; a data set of Hugging Face's; a map-style data set or a `DataLoader`, of which only the
            data set is used; or a `Source`.
        split: "train", "test", "validation" or "unlabelled". Where a folder holds several, this one is taken. Labels
            of "unlabelled" are dropped; examples of "test" and "validation" must all have one.
        name: what to call it; by default the folder's or file's name. Ids are hashed from "name/split" and the row
            number or relative path, so that no two splits share an id.
        classes: class names in the order of the labels. Data that carry names are mapped onto these by name; pass
            training's when opening test and validation data.
        size: (height, width) that images of a folder are resized to.
        channels: 1 or 3, for images of a folder; by default what all of them have.
        reading: which columns of a table mean what, what becomes of broken pictures, and the like.

    Raises:
        DataError: nothing there, or not what it should be; the message names the mend.
        InputError: the split is none of the four, or size or channels are out of range.

    Example:
        >>> source = open_source("digits", split="train")
        >>> len(source), str(source.spec), source.name
        (1438, 'uint8 image, 1 x 8 x 8', 'digits/train')
    """
    if split not in SPLITS:
        raise InputError(f"split: expected one of {', '.join(SPLITS)}, got {split!r}")
    if classes is not None:
        distinct(classes, "data.classes")
    if channels not in (None, 1, 3) or (size is not None and min(size) < 1):
        raise InputError(f"data: expected channels 1 or 3 and a size of at least 1 x 1, got {channels} and {size}")
    source = _opened(where, _Wish(split, name, classes, size, channels, reading))
    if len(source) == 0:
        raise DataError(f"{source.name}: no examples")
    if reading.in_memory:
        source = held(source)
    if split == "unlabelled":
        return Relabelled(source, unknown(len(source)), tuple(classes or ()))
    if split in ("test", "validation"):
        _all_labelled(source, split)
    return source


def checked(source: Source, task: Task) -> Source:
    """The source, where all its labels are ones that the task can have.

    Raises:
        DataError: one is not.
    """
    task.check_target(np.asarray(source.labels), source.classes)
    return source


@dataclass(frozen=True, slots=True)
class _Wish:
    """How the user wants it opened: the arguments of `open_source`."""

    split: str
    name: str | None
    classes: Sequence[str] | None
    size: tuple[int, int] | None
    channels: int | None
    reading: Reading

    def called(self, default: str) -> str:
        """The source's name: namespace of the ids."""
        return f"{self.name or default}/{self.split}"


def _opened(where: Any, wish: _Wish) -> Source:  # noqa: ANN401
    if is_hub(where):
        name = wish.called(place(where).name.rstrip("/").rpartition("/")[2])
        return _table(open_hub(where, wish.split, streaming=wish.reading.streaming), name, wish)
    if names_code(where):
        return _opened(from_code(where, wish.split, wish.reading), replace(wish, name=wish.name or where))
    if isinstance(where, os.PathLike) or (isinstance(where, str) and where != "digits"):
        return _opened_path(Path(where).expanduser(), wish)
    if is_object(where):
        what = type(where).__name__
        table = open_object(where, wish.split, what=what, streaming=wish.reading.streaming)
        return _table(table, wish.called(what), wish)
    source: Source
    if isinstance(where, str):
        source = open_digits(wish.split, name=wish.called(where), classes=wish.classes)
    elif is_source(where):
        source = _given_source(where, wish.classes)
    elif (arrays := _arrays(where)) is not None:
        source = from_arrays(*arrays, name=wish.called("arrays"), classes=wish.classes)
    else:
        dataset = map_style(where)
        source = open_dataset(dataset, name=wish.called(type(dataset).__name__), classes=wish.classes)
    return _of_size(source, wish)


def _table(table: Table, name: str, wish: _Wish) -> Source:
    source = read_table(
        table, name=name, labelled=wish.split != "unlabelled", reading=wish.reading, classes=wish.classes,
        size=wish.size, channels=wish.channels,
    )  # fmt: skip
    return source if source.spec.kind == "image" and decodes(source) else _of_size(source, wish)


def _opened_path(path: Path, wish: _Wish) -> Source:
    if is_pattern(path):
        return _table(open_tables(matching(path)), wish.called(shown(path.absolute().parent.name)), wish)
    _check_exists(path)
    base = path.absolute()
    if is_saved(path):
        table = open_hub(path, wish.split, streaming=wish.reading.streaming)
        return _table(table, wish.called(shown(base.name)), wish)
    if path.is_dir() and (inside := _split_folder(path, wish.split)) is not None:
        path = inside
    elif path.is_dir() and base.name in _SPLIT_FOLDERS:
        base = base.parent
    name = wish.called(_ENDINGS.sub("", shown(base.name)))
    if tables := tables_in(path) if path.is_dir() else [path] if is_table(path) else []:
        return _table(open_tables(of_split(tables, wish.split) if path.is_dir() else tables), name, wish)
    if path.is_dir() and not image_files(path) and not holds_npy(path):
        labelled = wish.split != "unlabelled"
        return open_folder(
            path, name=name, labelled=labelled, classes=wish.classes, size=wish.size, channels=wish.channels,
            on_corrupt=wish.reading.on_corrupt,
        )  # fmt: skip
    return _of_size(_opened_arrays(path, name, wish), wish)


def brings_split(where: Any, split: str) -> bool:  # noqa: ANN401
    """Whether data hold this split: as a folder, as files named so, or in a Hugging Face data set."""
    if is_hub(where) or is_object(where):
        return hub_brings(where, split)
    if not isinstance(where, str | Path) or names_code(where):
        return False
    folder = Path(where).expanduser()
    if is_saved(folder):
        return hub_brings(folder, split)
    return brings_idx(folder, split) or split_folder(folder, split) is not None or brings_table(folder, split)


def may_stream(where: Any) -> bool:  # noqa: ANN401
    """Whether `data.streaming` means anything to such data."""
    if is_hub(where) or is_object(where) or names_code(where):
        return True
    return isinstance(where, str | Path) and is_saved(Path(where).expanduser())


def _opened_arrays(path: Path, name: str, wish: _Wish) -> Source:
    if path.suffix == ".npz":
        return open_npz(path, name=name, classes=wish.classes)
    if path.suffix == ".npy" or (path.is_dir() and holds_npy(path)):
        return open_npy(path, name=name, classes=wish.classes)
    if path.is_dir() or looks_like_idx(path):
        return open_idx(path, wish.split, name=name, classes=wish.classes)
    raise DataError(
        f"{path}: a file of a kind that is not read; give .npz, .npy, .csv, .tsv, .parquet, an IDX file (with 'idx' or "
        "'ubyte' in its name) or a folder of images"
    )


def _check_exists(path: Path) -> None:
    if path.exists():
        return
    siblings = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    hint = f"; did you mean {path.parent / near[0]}?" if near else ""
    raise DataError(
        f"{path}: no such file or folder (looked for 'digits', an IDX folder or file, .npz, .npy, a table or an image "
        f"folder, from {Path.cwd()}; of the hub: hf:owner/name){hint}"
    )


def split_folder(path: Path, split: str) -> Path | None:
    """The subfolder of this split, where all subfolders are splits (a class may well be called "train")."""
    if not path.is_dir():
        return None
    names = {entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    if not names or not _SPLIT_FOLDERS.issuperset(names):
        return None
    return next((path / name for name in WORDS[split] if name in names), None)


def _split_folder(path: Path, split: str) -> Path | None:
    """The same, for a split that was asked for; a folder of other splits is refused."""
    found = split_folder(path, split)
    if found is None and any(split_folder(path, other) for other in SPLITS):
        names = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
        raise DataError(
            f"{path}: no folder for {split!r} among {', '.join(names)}; make one, or leave data.{split} out"
        )
    return found


def _arrays(where: Any) -> tuple[Any, Any] | None:  # noqa: ANN401
    """`(x, y)` as arrays, where that is what was given."""
    parts = where if isinstance(where, tuple) else (where,)
    if not 1 <= len(parts) <= _PAIR or not (hasattr(parts[0], "shape") and hasattr(parts[0], "__array__")):
        return None
    labels = parts[1] if len(parts) == _PAIR else None
    return as_numpy(parts[0]), None if labels is None else as_numpy(labels)


def is_source(where: Any) -> bool:  # noqa: ANN401
    """Whether it is a `Source` already."""
    return all(hasattr(where, member) for member in _SOURCE_MEMBERS)


def _given_source(source: Source, classes: Sequence[str] | None) -> Source:
    """A source from elsewhere, after the promises that all others rest on were checked."""
    if len(np.unique(source.ids)) < len(source):
        raise DataError(f"{source.name}: two examples have the same id; ids must be unique within a source")
    rows = np.unique(np.linspace(0, len(source) - 1, _CHECKED_ROWS).astype(np.int64)) if len(source) else ()
    for row in rows:
        one = np.array([row])
        if source.read(one).tobytes() != source.read(one).tobytes():
            raise DataError(f"{source.name}: row {row} differs when it is read again; move augmentation into views")
    return source if classes is None else align_classes(source, classes)


def _of_size(source: Source, wish: _Wish) -> Source:
    """The source, where it already has the size and channels asked for: only image folders are resized."""
    shape = source.spec.shape
    wanted = (wish.channels or shape[0], *(wish.size or shape[1:])) if shape else shape
    if wanted != tuple(shape):
        raise DataError(
            f"{source.name}: inputs are {source.spec}; data.size and data.channels change image folders only, "
            "so resize these beforehand, or in the model's preprocessing"
        )
    return source


def _all_labelled(source: Source, split: str) -> None:
    missing = np.flatnonzero(source.labels == UNKNOWN)
    if missing.size:
        raise DataError(
            f"{source.name}: {missing.size} of {len(source)} examples have no label (first: row {int(missing[0])}), so "
            f"quality cannot be measured on them; label them, or move them from data.{split} to data.unlabelled"
        )
