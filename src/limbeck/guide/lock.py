"""Locks, so that two writers on one folder are told at once and not after an hour."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from limbeck.core.storage import plain_storage_errors
from limbeck.errors import GuideError


@contextmanager
def writing(folder: Path, rank: int, world: int) -> Iterator[None]:
    """Holds the place of one writer for the time of the block; the system lets it go when the process dies.

    Args:
        folder: of the guide.
        rank: of this writer.
        world: how many there are; one alone wants the folder for itself.

    Raises:
        GuideError: somebody else writes there.
        StorageError: the folder cannot be written.
    """
    with ExitStack() as held:
        held.enter_context(_locked(folder / ".lock", folder, shared=world > 1))
        if world > 1:
            held.enter_context(_locked(folder / f".lock-{rank}", folder))
        yield


@contextmanager
def finishing(folder: Path) -> Iterator[None]:
    """Waits until nobody else writes what belongs to all writers (plan, index, manifest)."""
    with _locked(folder / ".lock-finish", folder, wait=True):
        yield


@contextmanager
def _locked(path: Path, folder: Path, *, shared: bool = False, wait: bool = False) -> Iterator[None]:
    import fcntl  # of POSIX systems only; reading needs none of this

    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    file = _opened(path)
    try:
        while True:
            try:
                fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
            except BlockingIOError as error:
                who = path.read_text(encoding="utf-8").strip() if path.exists() else ""
                raise GuideError(
                    f"{folder}: another process{f' ({who})' if who else ''} is writing this guide; "
                    "wait for it, or choose another folder"
                ) from error
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                break
            file.close()  # its last holder removed it just now: what was locked is no longer there
            file = _opened(path)
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        try:
            yield
        finally:
            _removed(path, file)
    finally:
        file.close()


def _removed(path: Path, file: IO[str]) -> None:
    """Takes the lock file away, unless others share it."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except OSError:
        pass  # shared: the last one removes it


def _opened(path: Path) -> IO[str]:
    with plain_storage_errors(path):
        return path.open("a", encoding="utf-8")
