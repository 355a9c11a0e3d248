"""What a guide will take, before its first batch: bytes, from the plan; time, from one batch of a warm teacher."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from time import perf_counter

import numpy as np
from jaxtyping import Int

from limbeck.core.signals import Signals
from limbeck.errors import ModelError, StorageError
from limbeck.guide.answers import Answers, place_of
from limbeck.guide.codec import encode
from limbeck.guide.manifest import Plan
from limbeck.guide.spec import SignalSpec, columns

_BLOCK = 4096
_BESIDE_A_SHARD = 3 * _BLOCK
"""Its header and its sidecar, in whole blocks."""
_BESIDE_THE_SHARDS = 16 * _BLOCK
"""Plan, manifest, locks and folders."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one batch told.

    Attributes:
        spec: with the shapes of the features.
        outputs: width of the output; `None` where none is kept.
        seconds_per_row: of reading, views, teacher and encoding together.
    """

    spec: SignalSpec
    outputs: int | None
    seconds_per_row: float


def probe(answers: Answers, ids: Int[np.ndarray, " n"], *, rows: int, spec: SignalSpec) -> Probe:
    """Asks about the first rows twice: the first time warms up and gives the shapes, the second is timed.

    Args:
        answers: who will speak.
        ids: sorted.
        rows: at most this many; a whole number of the teacher's chunks.
        spec: what will be kept.

    Raises:
        ModelError: the answers lack something that is to be kept.
        InputError: it cannot be kept.
    """
    place = place_of(np.arange(min(rows, len(ids)), dtype=np.int64), ids)
    spoken: Iterator[Signals] = answers(repeat(place, 2))
    first = next(spoken)
    resolved = with_shapes(spec, first)
    width = None if spec.output is None or first.logits is None else int(first.logits.shape[-1])
    if spec.output is None or width is not None:
        columns(resolved, width)  # refuses what cannot be kept, before it is tried
    encode(first, place.ids, place.views, resolved)
    start = perf_counter()
    encode(next(spoken), place.ids, place.views, resolved)
    seconds = perf_counter() - start
    return Probe(resolved, width, seconds / len(place.ids))


def with_shapes(spec: SignalSpec, signals: Signals) -> SignalSpec:
    """The spec with the shapes that features have in `signals`.

    Raises:
        ModelError: the signals lack a feature that is to be kept.
    """
    absent = [path for path in spec.features if path not in signals.features]
    if absent:
        raise ModelError(f"the teacher gives no features at {', '.join(map(repr, absent))}; name them as its taps")
    features = {
        path: replace(feature, shape=tuple(signals.features[path].shape[1:])) for path, feature in spec.features.items()
    }
    return replace(spec, features=features)


def room_for(plan: Plan, missing: Sequence[int]) -> int:
    """Bytes of disk that these shards will take, with all that lies beside them; a file takes whole blocks.

    Args:
        plan: of the guide.
        missing: numbers of the shards that are still to be written.
    """
    shards = sum(len(plan.rows_of(number)) * plan.row_bytes + _BESIDE_A_SHARD for number in missing)
    return shards + (8 * plan.data.examples + _BESIDE_THE_SHARDS if missing else 0)


def require_room(folder: Path, needed: int) -> None:
    """Refuses a guide that the disk cannot hold, before anything is written.

    Raises:
        StorageError: names what is needed and what is free.
    """
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise StorageError(
            f"the guide still needs {size(needed)} in {folder}, but {size(free)} are free there: free some, choose "
            "another folder, or keep less (fewer views, float16, top-k or sampled signals)"
        )


def size(count: int) -> str:
    """Bytes for people.

    Example:
        >>> size(999), size(9_600_000), size(499_000_000_000)
        ('999 bytes', '9.6 MB', '499 GB')
    """
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            return f"{value:.0f} {unit}" if value >= 99.95 or unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def duration(seconds: float) -> str:
    """Time for people.

    Example:
        >>> duration(0.3), duration(75), duration(7300)
        ('less than a second', 'about 75 s', 'about 2.0 h')
    """
    if seconds < 1:
        return "less than a second"
    if seconds < 5400:
        return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
