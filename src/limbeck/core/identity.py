"""Fingerprints and example ids: how Limbeck knows that two things are the same."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def fingerprint(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """SHA-256 of a JSON value in canonical form, as 64 hexadecimal digits.

    Example:
        >>> fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
        True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def array_fingerprint(arrays: Iterable[NDArray[Any]]) -> str:
    """SHA-256 over type, shape and bytes of each array in turn."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def state_fingerprint(state: Mapping[str, "Tensor"]) -> str:
    """SHA-256 over the names, types, shapes and bytes of a state dict, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(dtype=_bytes()).numpy().tobytes() if tensor.numel() else b"")
    return digest.hexdigest()


def _bytes() -> Any:  # noqa: ANN401
    import torch

    return torch.uint8


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The splitmix64 finaliser: a bijection on 64-bit integers that scrambles all bits (Steele et al. 2014).

    Example:
        >>> int(mix(np.array([0], dtype=np.uint64))[0])
        16294208416658607535
    """
    mixed = values + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))


def key_hash(key: str) -> int:
    """64-bit BLAKE2b hash of a text key, 0 <= hash < 2^64; a file name that is no UTF-8 counts as the bytes it is."""
    return int.from_bytes(hashlib.blake2b(key.encode(errors="surrogateescape"), digest_size=8).digest(), "little")


def ids_of_rows(namespace: str, rows: int) -> NDArray[np.int64]:
    """Example ids of a source keyed by row number; no two rows of a namespace collide (the hash is a bijection)."""
    return ids_of_row_numbers(namespace, np.arange(rows))


def ids_of_row_numbers(namespace: str, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Example ids of these rows of a source keyed by row number."""
    start = np.uint64(key_hash(namespace))
    return mix(numbers.astype(np.int64).view(np.uint64) ^ start).view(np.int64)


def ids_of_keys(namespace: str, keys: Iterable[str]) -> NDArray[np.int64]:
    """Example ids of a source keyed by text (relative paths, a key column)."""
    hashes = np.fromiter((key_hash(f"{namespace}\0{key}") for key in keys), dtype=np.uint64)
    return hashes.view(np.int64)
