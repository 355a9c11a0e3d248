"""From the key of a table's row to the id of the example that it is about."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from limbeck.core.identity import ids_of_keys, ids_of_row_numbers
from limbeck.data.source import Source
from limbeck.data.subset import Concat, Relabelled, Subset
from limbeck.errors import DataError
from limbeck.guide.tables import Table

_WHOLE = re.compile(r"[+-]?\d+\Z")


def ids_of_table(table: Table, source: Source, ids: Int[np.ndarray, " n"], file: Path) -> Int[np.ndarray, " rows"]:
    """The example id of each row; of rows that are about no example of the source, an id that it does not have.

    Keys that are whole numbers are example ids where the source has one of them, else row numbers from 0; other keys
    are relative paths. Without keys a row's own number is its key.

    Args:
        table: as read.
        source: whose examples they are; subsets and joined sources are looked through.
        ids: the source's, sorted.
        file: for messages.

    Raises:
        DataError: no key is of this source, or one is ambiguous between its parts.
    """
    keys = np.arange(len(table.values)) if table.keys is None else _as_numbers(table.keys)
    if keys.shape != (len(table.values),):
        raise DataError(f"{file}: {keys.shape} keys for {len(table.values)} rows")
    if keys.dtype == np.int64 and table.keys is not None and np.isin(keys, ids).any():
        return keys
    found, known = np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=bool)
    for name in sorted(set(_namespaces(source))):
        candidates = ids_of_row_numbers(name, keys) if keys.dtype == np.int64 else _ids_of_paths(name, keys)
        here = np.isin(candidates, ids)
        if (here & known).any():
            key = keys[np.flatnonzero(here & known)[0]]
            raise DataError(
                f"{file}: key {str(key)!r} occurs in several parts of {source.name}; give 64-bit example ids"
            )
        found, known = np.where(known, found, candidates), known | here
    if len(keys) and not known.any():
        raise DataError(
            f"{file}: none of its {len(keys):,} keys (the first: {str(keys[0])!r}) is of {source.name}: keys are "
            f"{_expected(source)}, or 64-bit example ids; name their column (key)"
        )
    return found


def _as_numbers(keys: NDArray[Any]) -> NDArray[Any]:
    """int64 where all keys are whole numbers (unsigned ids wrapped to signed), else text."""
    if keys.dtype.kind in "iu":
        return keys.astype(np.int64)
    text = keys.astype(str)
    if not len(text) or not all(_WHOLE.match(key) for key in text.tolist()):
        return text
    return np.array([int(key) & (2**64 - 1) for key in text.tolist()], dtype=np.uint64).view(np.int64)


def _ids_of_paths(name: str, keys: NDArray[Any]) -> Int[np.ndarray, " n"]:
    plain = (key.replace("\\", "/").removeprefix("./") for key in keys.tolist())
    return ids_of_keys(name, plain)


def _namespaces(source: Source) -> Iterator[str]:
    if isinstance(source, Relabelled | Subset):
        yield from _namespaces(source.source)
    elif isinstance(source, Concat):
        for part in source.parts:
            yield from _namespaces(part)
    else:
        yield source.name


def _expected(source: Any) -> str:  # noqa: ANN401 - only folders know paths
    while isinstance(source, Relabelled | Subset):
        source = source.source
    paths = getattr(source, "paths", None)
    return "row numbers from 0" if paths is None else f"relative paths such as {paths[0]!r}"
