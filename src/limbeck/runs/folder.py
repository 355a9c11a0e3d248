"""The run's folder: claimed by one recipe and one process at a time."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from limbeck.core.storage import plain_storage_errors, read_json, write_json, write_text
from limbeck.errors import RunFolderError

_MARK = "run.json"
_LOCK = ".lock"
_LEFT_OVER = re.compile(r"^\..+-\w+\.tmp(\.\w+)?$")
"""What a killed process leaves where it was writing."""


@contextmanager
def claimed(folder: Path, *, recipe_text: str, recipe_fingerprint: str) -> Iterator[Path]:
    """Makes the folder, or takes up a run of the same recipe in it.

    Args:
        folder: of the run.
        recipe_text: resolved recipe, written to `recipe.yaml`.
        recipe_fingerprint: of the recipe and whatever was given beside it.

    Yields:
        The folder.

    Raises:
        RunFolderError: it belongs to another recipe, holds something else, or another process is at work in it.
        StorageError: it cannot be written.
    """
    check(folder, recipe_fingerprint=recipe_fingerprint)
    with plain_storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        _lock(handle, folder)
        check(folder, recipe_fingerprint=recipe_fingerprint)  # another process may have been faster
        _sweep(folder)
        write_json(folder / _MARK, {"recipe": recipe_fingerprint})  # first: a folder without it is nobody's
        write_text(folder / "recipe.yaml", recipe_text)
        yield folder
    finally:
        os.close(handle)


def check(folder: Path, *, recipe_fingerprint: str) -> None:
    """Refuses a folder that another recipe, or something else, lives in; writes nothing."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is a file; choose another --out")
    if (folder / _MARK).is_file():
        if _owner(folder) != recipe_fingerprint:
            raise RunFolderError(
                f"{folder} holds a run of another recipe (see its recipe.yaml) or of other data; "
                "choose another --out, or remove it"
            )
        return
    if any(entry.name != _LOCK and not _LEFT_OVER.match(entry.name) for entry in folder.iterdir()):
        raise RunFolderError(f"{folder} is not empty and not the folder of a run; choose another --out")


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Waits until no other process is within such a block of the same folder, which is made.

    Args:
        folder: what is guarded.

    Yields:
        Nothing.
    """
    with plain_storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        with suppress(ImportError, OSError):  # no such locks on Windows, or on this file system
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return (folder / _MARK).is_file()


def finished_trainings(folder: Path) -> int:
    """How many trainings a run has behind it."""
    return sum(1 for _ in (folder / "checkpoints").glob("*/done.json"))


def _owner(folder: Path) -> str:
    try:
        return str(read_json(folder / _MARK)["recipe"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunFolderError(
            f"{folder / _MARK} cannot be read as the mark of a run; choose another --out, or remove the folder"
        ) from error


def _sweep(folder: Path) -> None:
    """Removes what a killed process left half-written."""
    for path in list(folder.rglob(".*")):
        if not _LEFT_OVER.match(path.name):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _lock(handle: int, folder: Path) -> None:
    """Held until the process ends, however it ends; the system lets go of it."""
    try:
        import fcntl
    except ImportError:  # Windows: two runs on one folder are not noticed there
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunFolderError(f"another process is at work in {folder}; wait for it, or choose another --out") from error
    except OSError:  # a file system without locks
        return
