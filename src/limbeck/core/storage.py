"""Writing so that a reader never sees half a file, and a full disk is said plainly."""

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.errors import StorageError

if TYPE_CHECKING:
    from torch import Tensor

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
    with replacing(path) as temporary:
        write(temporary)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The same for a block that fills the temporary file; where it fails, `path` is as it was.

    Yields:
        The temporary path.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    with plain_storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=f".tmp{path.suffix}")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
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


def write_tensors(path: Path, tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file atomically; tensors that share memory are stored once for each name.

    Args:
        path: the file to replace or create.
        tensors: on any device.
        metadata: text beside them.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    seen: set[int] = set()
    plain: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        plain[name] = tensor.detach().cpu().contiguous()
        storage = plain[name].untyped_storage().data_ptr()
        if storage in seen:  # safetensors refuses shared memory
            plain[name] = plain[name].clone()
        seen.add(storage)

    def write(temporary: Path) -> None:
        # safetensors writes to a file of its own beside the one it is given; a kill would leave it under any name
        scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp"))
        try:
            save_file(plain, scratch / path.name, None if metadata is None else dict(metadata))
            (scratch / path.name).replace(temporary)
        except SafetensorError as error:  # it hides the system's error number in its text
            number = re.search(r"os error (\d+)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(temporary)) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    write_atomically(path, write)


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Reads a JSON value."""
    return json.loads(path.read_text(encoding="utf-8"))
