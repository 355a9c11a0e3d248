"""Spooling: large contents live in unlinked temporary files that are mapped, not in memory.

The system reads pages in when they are touched and drops them when memory is short; the space is given back when the
last array goes, even if the process is killed.
"""

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from limbeck.errors import StorageError

CHUNK_BYTES = 1 << 22
_PARK_FROM_BYTES = 1 << 20


@contextmanager
def spool() -> Iterator[IO[bytes]]:
    """A temporary file without a name, to be filled and then `mapped`.

    Yields:
        The open file.

    Raises:
        StorageError: the temporary folder is full.
    """
    try:
        with tempfile.TemporaryFile() as file:
            yield file
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
