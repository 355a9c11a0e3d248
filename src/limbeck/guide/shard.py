"""One shard: a safetensors file of consecutive rows, written once and whole, read by memory map.

Any process can write any shard: its bytes follow from the plan and its number. `NNNNN.json` beside the file says that
it is whole, and carries its checksum into the manifest.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from limbeck.core.identity import file_fingerprint
from limbeck.core.storage import read_json, write_atomically, write_json
from limbeck.errors import GuideError, ModelError
from limbeck.guide.answers import Answers, Place, place_of
from limbeck.guide.codec import encode
from limbeck.guide.manifest import Plan, Shard, shard_name
from limbeck.guide.spec import Column


def write_shard(
    folder: Path,
    number: int,
    *,
    plan: Plan,
    ids: Int[np.ndarray, " n"],
    answers: Answers,
    batch_rows: int,
    after: Callable[[int], None] | None = None,
) -> Shard:
    """Asks about the rows of one shard and writes them.

    Args:
        folder: of the guide.
        number: 0 to `plan.shards - 1`.
        plan: what the guide is to be.
        ids: all example ids, sorted.
        answers: who speaks.
        batch_rows: rows that are asked about at once; a multiple of the teacher's chunk wastes nothing.
        after: called after each batch with the number of its rows; what it raises leaves nothing behind.

    Returns:
        The entry for the manifest.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
        ModelError: the answers are not what the plan says.
    """
    rows = plan.rows_of(number)
    arrays = {c.name: np.empty((len(rows), *c.shape), dtype=c.dtype) for c in plan.columns}
    places = [
        place_of(np.arange(start, min(start + batch_rows, rows.stop), dtype=np.int64), ids)
        for start in range(rows.start, rows.stop, batch_rows)
    ]
    done = 0
    for place, signals in zip(places, answers(iter(places)), strict=True):
        encoded = encode(signals, place.ids, place.views, plan.signals)
        _fill(arrays, encoded, done, place)
        done += len(place.ids)
        if after is not None:
            after(len(place.ids))
    name = shard_name(number)
    content = serialised(arrays)
    write_atomically(folder / name, lambda temporary: temporary.write_bytes(content))
    digest = hashlib.sha256(content).hexdigest()
    shard = Shard(file=name, first_row=rows.start, rows=len(rows), bytes=len(content), sha256=digest)
    write_json(_sidecar(folder, number), {"plan": plan.fingerprint(), **shard.model_dump(mode="json")})
    return shard


def _fill(arrays: dict[str, NDArray[Any]], encoded: dict[str, NDArray[Any]], start: int, place: Place) -> None:
    for name, values in arrays.items():
        rows = encoded[name]
        if rows.shape != (len(place.ids), *values.shape[1:]):
            raise ModelError(
                f"the teacher's {name} came with shape {rows.shape} for {len(place.ids)} rows of shape "
                f"{values.shape[1:]}; a guide needs one shape for all examples"
            )
        values[start : start + len(rows)] = rows


def serialised(arrays: dict[str, NDArray[Any]]) -> bytes:
    """The bytes of a safetensors file; no metadata, whose order would not be the same each time."""
    from safetensors.numpy import save

    return save(arrays)


def finished_shard(folder: Path, number: int, plan: Plan, *, rehash: bool) -> Shard | None:
    """The entry of a shard that lies there whole, or `None`.

    Args:
        folder: of the guide.
        number: of the shard.
        plan: a shard of another plan is none.
        rehash: reads the file to make sure; otherwise its size is enough.
    """
    path, sidecar = folder / shard_name(number), _sidecar(folder, number)
    try:
        value = read_json(sidecar)
        if value.pop("plan") != plan.fingerprint():
            return None
        shard = Shard.model_validate(value)
        rows = plan.rows_of(number)
        fits = (shard.file, shard.first_row, shard.rows) == (shard_name(number), rows.start, len(rows))
        if not fits or path.stat().st_size != shard.bytes:
            return None
    except (OSError, ValueError, KeyError, AttributeError):  # absent or damaged: it is written again
        return None
    return shard if not rehash or file_fingerprint(path) == shard.sha256 else None


def _sidecar(folder: Path, number: int) -> Path:
    return (folder / shard_name(number)).with_suffix(".json")


def open_shard(path: Path, columns: Sequence[Column], rows: int) -> dict[str, NDArray[Any]]:
    """The columns of a shard, mapped: the system reads pages when they are touched, and drops them under pressure.

    Args:
        path: a local file.
        columns: what must be in it.
        rows: how many.

    Returns:
        Arrays of shape `(rows, *column.shape)`; not to be written to.

    Raises:
        GuideError: it holds something else.
    """
    import torch

    size = path.stat().st_size
    # torch's map, unlike NumPy's, keeps no file open: a guide may have more shards than a process may have files
    contents = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8).numpy()
    try:
        header, start = _header(path, size)
        return {column.name: _column(contents, header[column.name], column, start, rows) for column in columns}
    except (KeyError, ValueError, TypeError, struct.error) as error:
        raise GuideError(f"{path} is no shard of this guide: {error}; run verify, or write the guide again") from error


def _header(path: Path, size: int) -> tuple[dict[str, Any], int]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if 8 + length > size:
            raise ValueError("its header is longer than the file")
        return json.loads(file.read(length)), 8 + length


def _column(contents: NDArray[np.uint8], entry: dict[str, Any], column: Column, start: int, rows: int) -> NDArray[Any]:
    first, last = entry["data_offsets"]
    shape = (rows, *column.shape)
    if tuple(entry["shape"]) != shape or last - first != rows * column.row_bytes or start + last > len(contents):
        raise ValueError(f"{column.name} has shape {entry['shape']}, expected {list(shape)}")
    values: NDArray[Any] = contents[start + first : start + last].view(column.dtype).reshape(shape)
    return values


def temporaries(folder: Path, number: int) -> Iterator[Path]:
    """What a killed writer of this shard left behind."""
    path = folder / shard_name(number)
    yield from path.parent.glob(f".{path.stem}-*.tmp*")
