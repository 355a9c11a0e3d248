"""Locks, so that two writers on one folder are told at once and not after an hour."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import IO

from limbeck.core.storage import plain_storage_errors
from limbeck.errors import GuideError, InputError

_LEAVING_SECONDS = 1.0
"""The last of several writers to leave removes their common lock file, which for a moment looks like a stranger's."""


@contextmanager
def writing(folder: Path, rank: int, world: int) -> Iterator[None]:
    """Holds the place of one writer for the time of the block; the system lets it go when the process dies.

    Args:
        folder: of the guide.
        rank: of this writer.
        world: how many there are; one alone wants the folder for itself.

    Raises:
        GuideError: somebody else writes there.
        InputError: this system has no such locks (Windows).
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
    try:
        import fcntl
    except ImportError as error:  # Windows; reading needs none of this
        raise InputError(
            f"{folder}: guides are written on Linux and macOS; write this one there, or set guide.use: never"
        ) from error

    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    file = _opened(path)
    patience = monotonic() + (_LEAVING_SECONDS if shared else 0)
    try:
        while True:
            try:
                fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
                if _is_there(path, file):
                    break
            except BlockingIOError as error:
                if monotonic() > patience:
                    raise GuideError(
                        f"{folder}: another process{_holder(path)} is writing this guide; "
                        "wait for it, or choose another folder"
                    ) from error
                sleep(0.01)
            file.close()  # its last holder may have removed it just now: what was opened is then no longer there
            file = _opened(path)
        with suppress(OSError):  # a courtesy to whoever is refused; a full disk may spoil it
            file.truncate(0)
            file.write(f"process {os.getpid()}".encode())
        try:
            yield
        finally:
            _removed(path, file)
    finally:
        file.close()


def _is_there(path: Path, file: IO[bytes]) -> bool:
    """Whether the open file is the one of that path; others create and remove it meanwhile."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        who = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    return f" ({who})" if who else ""


def _removed(path: Path, file: IO[bytes]) -> None:
    """Takes the lock file away, unless others share it."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except OSError:
        pass  # shared: the last one removes it


def _opened(path: Path) -> IO[bytes]:
    with plain_storage_errors(path):
        return path.open("ab", buffering=0)
