"""Writing so that a reader never sees half a file, and a full disk is said plainly."""

import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from limbeck.errors import StorageError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG}


@contextmanager
def plain_storage_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals to write into `StorageError`, with the mend."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageError(f"no space left for {path}: free some and run the same command again") from error
        if error.errno in _NO_RIGHT:
            raise StorageError(f"cannot write {path}: {error.strerror}; choose another --out") from error
        raise


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a temporary file beside `path`, then renames it into place, on disk for good.

    Args:
        path: the file to replace or create; its folder is made.
        write: is handed the temporary path, which has the same suffix as `path`.

    Raises:
        StorageError: the disk is full or the folder cannot be written. `path` is as it was.
    """
    with plain_storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=f".tmp{path.suffix}")
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            temporary.chmod(0o644)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Writes a JSON value atomically, indented, with keys in the order given; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Reads a JSON value."""
    return json.loads(path.read_text(encoding="utf-8"))
