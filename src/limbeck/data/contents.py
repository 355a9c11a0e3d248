"""The fingerprint of a source: SHA-256 over what its examples are."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limbeck.core.identity import fingerprint
from limbeck.data.prefetch import decodes, read_ahead
from limbeck.data.source import Source
from limbeck.data.spool import CHUNK_BYTES


def content_fingerprint(source: Source) -> str:
    """SHA-256 over spec, class names, ids, labels and raw contents, read in chunks of a few MiB.

    Reads, and where needed decodes, every example: what cannot be read is found here.
    """
    digest = hashlib.sha256()
    digest.update(fingerprint([str(source.spec), list(source.classes), len(source)]).encode())
    for array in (source.ids.astype(np.int64), source.labels.astype(np.int32)):
        digest.update(np.ascontiguousarray(array).data)
    for chunk in chunks(source):
        digest.update(np.ascontiguousarray(chunk).data)
    return digest.hexdigest()


def derived_fingerprint(source: Source, *parts: NDArray[Any], classes: tuple[str, ...] = ()) -> str:
    """The fingerprint of a source made from another by numbers alone (rows kept, labels changed): nothing is read."""
    digest = hashlib.sha256(source.fingerprint().encode())
    digest.update(fingerprint(list(classes)).encode())
    for part in parts:
        digest.update(f"{part.dtype.str}{part.shape}".encode())
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def chunks(source: Source) -> Iterator[NDArray[Any]]:
    """All examples in order, a few MiB at a time; read ahead where they have to be decoded."""
    row_bytes = max(1, int(np.prod(source.spec.shape)) * np.dtype(source.spec.dtype).itemsize)
    size = max(1, CHUNK_BYTES // row_bytes)
    starts = range(0, len(source), size)
    rows = (np.arange(start, min(start + size, len(source))) for start in starts)
    if not decodes(source):
        return map(source.read, rows)
    return (chunk for _, chunk in read_ahead(rows, source.read))
