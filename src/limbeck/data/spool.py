"""Spooling: large contents live in unlinked temporary files that are mapped, not in memory.

The system reads pages in when they are touched and drops them when memory is short; the space is given back when the
last array goes, even if the process is killed.
"""

import errno
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from limbeck.errors import StorageError

CHUNK_BYTES = 1 << 22
_PARK_FROM_BYTES = 1 << 18
"""Less is not worth a file. A source of sources has several such arrays, so from 65,536 examples on none counts."""


@contextmanager
def spool() -> Iterator[IO[bytes]]:
    """A temporary file without a name, to be filled and then `mapped`.

    Yields:
        The open file.

    Raises:
        StorageError: the temporary folder is full.
    """
    with _full_disk_said(), tempfile.TemporaryFile() as file:
        yield file


@contextmanager
def _full_disk_said() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"no space left in {tempfile.gettempdir()} for unpacked data: free some, or set TMPDIR to a larger disk"
            ) from error
        raise


def mapped(
    file: IO[bytes], dtype: DTypeLike, shape: tuple[int, ...], *, order: Literal["C", "F"] = "C"
) -> NDArray[Any]:
    """The file's contents as a read-only array of that type and shape; it outlives the file object."""
    file.flush()
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.asarray(np.memmap(file, dtype=dtype, mode="r", shape=shape, order=order))


def parked(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers, out of memory where there are many of them (ids, labels and rows of large sources)."""
    if array.nbytes < _PARK_FROM_BYTES:
        return array
    with spool() as file:
        file.write(np.ascontiguousarray(array).data)
        return mapped(file, array.dtype, array.shape)


class Growing:
    """An array on disk that grows at its end, for what is read once through and is as long as it turns out to be.

    Args:
        dtype: of its numbers.

    Example:
        >>> grown = Growing(np.int64)
        >>> grown.add(np.arange(3)), grown.add(np.arange(2))
        (None, None)
        >>> grown.array()
        array([0, 1, 2, 0, 1])
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self.length = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed once it is mapped, or with the object
        weakref.finalize(self, self._file.close)

    def add(self, values: NDArray[Any]) -> None:
        """Appends.

        Raises:
            StorageError: the temporary folder is full.
        """
        with _full_disk_said():
            self._file.write(np.ascontiguousarray(values, dtype=self.dtype).data)
        self.length += values.size

    def array(self, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
        """All of it, mapped and read-only; the end of growing.

        Raises:
            StorageError: the temporary folder is full.
        """
        with _full_disk_said(), self._file:
            return mapped(self._file, self.dtype, (self.length,) if shape is None else shape)
