"""Which files are meant: those named, those in folders, those that a pattern matches. Found one at a time."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from limbeck.bundle.config import InputConfig
from limbeck.errors import DataError

ARRAYS = frozenset((".npy", ".npz"))
TABLES = frozenset((".csv", ".tsv", ".json", ".jsonl", ".ndjson"))
STDIN = Path("-")


def files_meant(path: Path, spec: InputConfig) -> Iterator[Path]:
    """The files that one argument stands for, in the order of their names.

    A folder is searched through, links followed, hidden files and folders passed over: for pictures (or tables, where
    the student takes rows) and NumPy files. A name with `*`, `?` or `[` that is no file itself is a pattern.

    Args:
        path: as it was given.
        spec: what the student takes.

    Yields:
        Paths; a folder with a million pictures is never listed whole, only one level of it at a time.

    Raises:
        DataError: there is no such file, the folder holds nothing of use, or the pattern matches nothing.
    """
    if path == STDIN or path.is_file() or path.is_fifo():
        yield path
    elif path.is_dir():
        yield from _some(_below(path, suffixes(spec)), _empty(path, spec))
    elif path.exists():
        raise DataError(f"{path} is neither a file nor a folder")
    elif glob.has_magic(str(path)):
        names = glob.glob(str(path), recursive=True)  # noqa: PTH207 - absolute patterns too
        matches = (Path(name) for name in sorted(names))
        found = (file for match in matches for file in _matched(match, suffixes(spec)))
        yield from _some(found, f"{path} matches no file")
    else:
        raise DataError(
            f"{path} does not exist: name pictures, .npy, .npz, .csv or .jsonl files, folders of them, or - for "
            "standard input"
        )


def suffixes(spec: InputConfig) -> frozenset[str]:
    """Endings of the files that are taken from folders."""
    if spec.kind != "image":
        return ARRAYS | TABLES
    from limbeck.data.images import SUFFIXES  # needs Pillow, which a student of rows does not

    return ARRAYS | SUFFIXES


def _some(found: Iterable[Path], otherwise: str) -> Iterator[Path]:
    none = True
    for path in found:
        none = False
        yield path
    if none:
        raise DataError(otherwise)


def _empty(folder: Path, spec: InputConfig) -> str:
    kind = "picture" if spec.kind == "image" else "table"
    own = ", ".join(sorted(suffixes(spec) - ARRAYS))
    return f"{folder} holds no {kind} ({own}) and no NumPy file"


def _matched(path: Path, wanted: frozenset[str]) -> Iterator[Path]:
    if path.is_dir():
        yield from _below(path, wanted)
    else:
        yield path


def _below(folder: Path, wanted: frozenset[str], above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Path]:
    """Files with these endings, depth first; a link to a folder above is passed over."""
    try:
        here = folder.stat()
        names = sorted(entry.name for entry in os.scandir(folder) if _is_visible(entry.name))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from error
    if (here.st_dev, here.st_ino) in above:
        return
    above |= {(here.st_dev, here.st_ino)}
    for name in names:
        path = folder / name
        if path.suffix.lower() in wanted and path.is_file():
            yield path
        elif path.is_dir():
            yield from _below(path, wanted, above)


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"
