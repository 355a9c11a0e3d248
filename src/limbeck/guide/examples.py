"""Which examples a guide is about: the same ones in another order, or with hidden labels, are the same."""

import hashlib
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from limbeck.core.identity import fingerprint
from limbeck.data.source import Source
from limbeck.data.spool import parked
from limbeck.data.subset import Concat, Relabelled, Subset
from limbeck.errors import DataError


def examples_fingerprint(source: Source) -> str:
    """SHA-256 over the data that the source was taken from and the ids that it has, sorted.

    Subsets, orders and hidden labels are looked through: studies with fewer labels read the same guide. Contents are
    covered by the fingerprint of the data below, which reads all of them, so one changed example changes it.
    """
    digest = hashlib.sha256(np.sort(source.ids.astype(np.int64)).data).hexdigest()
    return fingerprint([sorted(set(_origins(source))), digest])


def _origins(source: Source) -> Iterator[str]:
    if isinstance(source, Relabelled | Subset):
        yield from _origins(source.source)
    elif isinstance(source, Concat):
        for part in source.parts:
            yield from _origins(part)
    else:
        yield source.fingerprint()


def sorted_rows(source: Source) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Ids in ascending order, and the source's row of each.

    Raises:
        DataError: the source is empty, or an id occurs twice.
    """
    if len(source) == 0:
        raise DataError(f"{source.name}: no examples to ask a teacher about")
    order = np.argsort(source.ids, kind="stable")
    ids = np.ascontiguousarray(source.ids[order], dtype=np.int64)
    twice = np.flatnonzero(ids[1:] == ids[:-1])
    if twice.size:
        raise DataError(
            f"{source.name}: rows {int(order[twice[0]])} and {int(order[twice[0] + 1])} have the same example id; "
            "give each example a key of its own"
        )
    return parked(ids), parked(order.astype(np.int64))
