"""Who answers while a guide is written: a teacher that looks at views. Row numbers in, signals out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Int

from limbeck.core.protocols import SignalSource
from limbeck.core.signals import Signals
from limbeck.data.prefetch import decodes, read_ahead
from limbeck.data.source import Source
from limbeck.data.viewed import Raw, Viewed
from limbeck.data.views import Views

Rows = Int[np.ndarray, " b"]


@dataclass(frozen=True, slots=True)
class Place:
    """Some rows of a guide.

    Attributes:
        ids: example ids.
        ranks: their places among the sorted ids.
        views: view numbers.
    """

    ids: Rows
    ranks: Rows
    views: Rows


def place_of(rows: Rows, ids: Int[np.ndarray, " n"]) -> Place:
    """What stands in these rows of a guide over the sorted `ids`: row `v * n + rank` is view `v` of that example.

    Example:
        >>> place_of(np.array([1, 2]), np.array([7, 9]))
        Place(ids=array([9, 7]), ranks=array([1, 0]), views=array([0, 1]))
    """
    views, ranks = np.divmod(rows, len(ids))
    return Place(np.asarray(ids[ranks]), ranks, views)


class Answers(Protocol):
    """Signals for places, one after the other; float32, on any device."""

    def __call__(self, places: Iterable[Place]) -> Iterator[Signals]:
        """As many as places, in order."""
        ...


class LiveAnswers:
    """A teacher that is shown exactly what a student will see: the views of the raw examples.

    Args:
        teacher: asked once a view.
        source: the examples.
        views: what is made of them.
        order: the source's row of each rank (`examples.sorted_rows`).
        device: where the teacher is.

    Raises:
        InputError: the views do not fit the source.
    """

    def __init__(
        self,
        teacher: SignalSource,
        source: Source,
        views: Views,
        *,
        order: Int[np.ndarray, " n"],
        device: torch.device | str = "cpu",
    ) -> None:
        self.teacher, self.order, self.device = teacher, order, device
        self.viewed = Viewed(source, views)

    def __call__(self, places: Iterable[Place]) -> Iterator[Signals]:
        """Asks the teacher, place after place; files are decoded ahead of it."""

        def read(place: Place) -> Raw:
            return self.viewed.read(np.asarray(self.order[place.ranks]), place.views)

        raws = (raw for _, raw in read_ahead(places, read)) if decodes(self.viewed.source) else map(read, places)
        for raw in raws:
            yield self.teacher.signals(self.viewed.batch(raw).to(self.device))
