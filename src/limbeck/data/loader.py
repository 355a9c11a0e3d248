"""Batches of views: endless and addressed by step for training, once and in order for measuring."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Int

from limbeck.core.batch import Batch
from limbeck.data.draws import shuffled
from limbeck.data.prefetch import decodes, read_ahead
from limbeck.data.source import Source
from limbeck.data.viewed import Raw, Viewed
from limbeck.data.views import Views
from limbeck.errors import DataError, InputError


def steps_for(epochs: float, n: int, batch_size: int) -> int:
    """Optimiser steps of so many passes over `n` examples: `ceil(epochs * n / batch_size)`, exactly.

    Example:
        >>> steps_for(0.1, 1000, 100), steps_for(2, 1438, 256)
        (1, 12)
    """
    return math.ceil(Fraction(str(epochs)) * n / batch_size)


def check_dealt(batch_size: int, world: int) -> None:
    """Refuses a batch that does not divide among the processes.

    Raises:
        InputError: it does not.
    """
    if batch_size < 1 or batch_size % world:
        raise InputError(
            f"batch_size: {batch_size} rows cannot be dealt evenly to {world} processes; "
            f"give a multiple of {world}, at least 1 a process"
        )


class TrainingBatches:
    """An endless sequence of passes, each a permutation of the source that hangs on (seed, pass number) alone.

    Step `s` takes places `s * batch_size ... (s + 1) * batch_size - 1` of the passes laid end to end: every batch is
    full, a batch may straddle passes, and any step can be the first. Each rank takes every `world`-th of those places.

    Args:
        source: the examples.
        views: what is made of them; the pass number says which view.
        batch_size: rows of one optimiser step, over all ranks together.
        seed: the order's.
        rank: which of the processes this one is, 0..world-1.
        world: how many processes train together.

    Raises:
        InputError: the batch does not divide among the ranks, or the views do not fit the source.
        DataError: the source is empty.
    """

    def __init__(
        self, source: Source, *, views: Views, batch_size: int, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        check_dealt(batch_size, world)
        if not 0 <= rank < world:
            raise InputError(f"rank: expected 0 to {world - 1}, got {rank}")
        if len(source) == 0:
            raise DataError(f"{source.name}: no examples to train on")
        self.viewed = Viewed(source, views)
        self.source, self.views, self.batch_size, self.seed = source, views, batch_size, seed
        self.rank, self.world = rank, world

    def from_step(self, step: int) -> Iterator[Batch]:
        """The batch of optimiser step `step` (0-based), then the next ones, without end."""
        for raw in _read(self.viewed, self._places(step)):
            yield self.viewed.batch(raw)

    def _places(self, step: int) -> Iterator["_Place"]:
        n = len(self.source)
        order, order_of = np.zeros(0, np.int32), -1
        while True:
            start = step * self.batch_size
            places = np.arange(start + self.rank, start + self.batch_size, self.world, dtype=np.int64)
            passes, offsets = np.divmod(places, n)
            rows, views = np.empty(len(places), np.int64), np.empty(len(places), np.int64)
            for number in range(int(passes[0]), int(passes[-1]) + 1):
                if number != order_of:
                    order, order_of = shuffled(n, "order", self.seed, number), number
                here = passes == number
                rows[here], views[here] = order[offsets[here]], self.views.view_number(number)
            yield _Place(rows, views)
            step += 1


def evaluation_batches(source: Source, batch_size: int, *, rank: int = 0, world: int = 1) -> Iterator[Batch]:
    """Every example once, in order and raw (view 0); the last batch is what is left.

    Args:
        source: the examples.
        batch_size: rows at once.
        rank: which of the processes this one is.
        world: how many share the work; each gets every `world`-th batch, the same batches as one process would.
    """
    starts = range(rank * batch_size, len(source), world * batch_size)
    places = (np.arange(start, min(start + batch_size, len(source))) for start in starts)
    viewed = Viewed(source, Views())
    for raw in _read(viewed, (_Place(rows, np.zeros(len(rows), np.int64)) for rows in places)):
        yield viewed.batch(raw)


@dataclass(frozen=True, slots=True)
class _Place:
    rows: Int[np.ndarray, " b"]
    views: Int[np.ndarray, " b"]


def _read(viewed: Viewed, places: Iterator[_Place]) -> Iterator[Raw]:
    """Raw inputs in order, read ahead by threads where that means decoding files."""

    def read(place: _Place) -> Raw:
        return viewed.read(place.rows, place.views)

    if decodes(viewed.source):
        return (raw for _, raw in read_ahead(places, read))
    return (read(place) for place in places)
