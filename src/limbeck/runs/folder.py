"""The run's folder: claimed by one recipe and one process at a time."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from limbeck.core import processes
from limbeck.core.storage import plain_storage_errors, read_json, write_json, write_text
from limbeck.errors import RunFolderError
from limbeck.record import MARK

_LOCK = ".lock"
_ATTEMPTS, _WAIT_SECONDS = 5, 0.02
_LEFT_OVER = re.compile(r"^\..+-\w+\.tmp(\.\w+)?$")
"""What a killed process leaves where it was writing."""


@contextmanager
def claimed(folder: Path, *, recipe_text: str, recipe_fingerprint: str) -> Iterator[Path]:
    """Makes the folder, or takes up a run of the same recipe in it; of several processes the main one does.

    Args:
        folder: of the run.
        recipe_text: resolved recipe, written to `recipe.yaml`.
        recipe_fingerprint: of the recipe and whatever was given beside it.

    Yields:
        The folder.

    Raises:
        RunFolderError: it belongs to another recipe, holds something else, was begun by another number of processes,
            or another run is at work in it.
        StorageError: it cannot be written.
    """
    if not processes.is_main():
        processes.barrier()
        yield folder
        return
    check(folder, recipe_fingerprint=recipe_fingerprint)
    with plain_storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        _lock(handle, folder)
        check(folder, recipe_fingerprint=recipe_fingerprint)  # another process may have been faster
        _sweep(folder)
        mark = {"recipe": recipe_fingerprint, "processes": processes.world()}
        write_json(folder / MARK, mark)  # first: a folder without it is nobody's
        write_text(folder / "recipe.yaml", recipe_text)
        processes.barrier()
        yield folder
    finally:
        os.close(handle)


def refuse_early(folder: Path) -> None:
    """Refuses what `claimed` would refuse whatever the recipe, before a plan is made at a cost; writes nothing.

    Args:
        folder: of the run.

    Raises:
        RunFolderError: another run is at work in it, or it holds something else.
    """
    if not processes.is_main():
        return
    check(folder, recipe_fingerprint=None)
    with suppress(OSError):  # not there yet, or may not be read: `claimed` says so
        handle = os.open(folder / _LOCK, os.O_RDWR)
        try:
            _lock(handle, folder)
        finally:
            os.close(handle)


def check(folder: Path, *, recipe_fingerprint: str | None) -> None:
    """Refuses a folder that another recipe (`None`: any will do), or something else, lives in; writes nothing."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is a file; choose another --out")
    if (folder / MARK).is_file():
        recipe, count = _owner(folder)
        if recipe_fingerprint is None:
            return
        if recipe != recipe_fingerprint:
            raise RunFolderError(
                f"{folder} holds a run of another recipe (see its recipe.yaml) or of other data; "
                "choose another --out, or remove it"
            )
        if count != processes.world():
            raise RunFolderError(
                f"{folder} holds a run of {_counted(count)}, and this is a run of {_counted(processes.world())}: its "
                "sums, and so its weights, would differ in their last digits; start it as before, or choose another "
                "--out"
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
    return (folder / MARK).is_file()


def finished_trainings(folder: Path) -> int:
    """How many trainings a run has behind it."""
    return sum(1 for _ in (folder / "checkpoints").glob("*/done.json"))


def _counted(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes (torchrun --nproc-per-node {count})"


def _owner(folder: Path) -> tuple[str, int]:
    """The recipe's fingerprint, and how many processes began the run."""
    try:
        mark = read_json(folder / MARK)
        return str(mark["recipe"]), int(mark.get("processes", 1))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunFolderError(
            f"{folder / MARK} cannot be read as the mark of a run; choose another --out, or remove the folder"
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
    for attempt in range(_ATTEMPTS):  # somebody may have only been looking, see `refuse_early`
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if attempt == _ATTEMPTS - 1:
                raise RunFolderError(
                    f"another process is at work in {folder}; wait for it, or choose another --out"
                ) from error
            time.sleep(_WAIT_SECONDS)
        except OSError:  # a file system without locks
            return
        else:
            return
