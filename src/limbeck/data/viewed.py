"""`Viewed`: a source seen through views, addressed by (row, view number): for training, and for writing a guide."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from limbeck.core.batch import Batch, Mix
from limbeck.data.draws import Draws, streams
from limbeck.data.mixing import partner_ranks
from limbeck.data.source import Source
from limbeck.data.spool import parked
from limbeck.data.views import Views

Rows = Int[np.ndarray, " b"]


@dataclass(frozen=True, slots=True)
class Raw:
    """What was read for a batch, before any view.

    Attributes:
        rows: of the source.
        views: view numbers.
        inputs: raw examples.
        partners: rows each one is mixed with, where views mix.
        partner_inputs: their raw examples.
    """

    rows: Rows
    views: Rows
    inputs: NDArray[Any]
    partners: Rows | None = None
    partner_inputs: NDArray[Any] | None = None


class Viewed:
    """A source and its views.

    Args:
        source: the examples.
        views: what is made of them.

    Raises:
        InputError: the views do not fit the source.
    """

    def __init__(self, source: Source, views: Views) -> None:
        views.check(source.spec)
        self.source, self.views = source, views
        self._labels = source.labels
        self._all_known = not (source.labels < 0).any()
        mixing = views.mixing is not None
        self._by_id = parked(np.argsort(source.ids, kind="stable").astype(np.int32)) if mixing else None

    def read(self, rows: Rows, views: Rows) -> Raw:
        """Reads the raw examples, and those they are mixed with; may run in another thread."""
        inputs = self.source.read(rows)
        if self._by_id is None:
            return Raw(rows, views, inputs)
        ranks = partner_ranks(self._draws(rows, views), len(self.source))
        partners = self._by_id[ranks].astype(np.int64)
        return Raw(rows, views, inputs, partners, self.source.read(partners))

    def batch(self, raw: Raw) -> Batch:
        """The views themselves. For the consumer's thread: some views set the process's random state for a while."""
        ids = torch.from_numpy(np.array(self.source.ids[raw.rows], dtype=np.int64))
        views = torch.from_numpy(raw.views)
        inputs = self.views.apply(_tensor(raw.inputs), ids, views)
        target, mask = self._targets(raw.rows)
        if raw.partners is None or raw.partner_inputs is None or self.views.mixing is None:
            return Batch(ids, views, inputs, target, mask)
        partner_ids = torch.from_numpy(np.array(self.source.ids[raw.partners], dtype=np.int64))
        others = self.views.apply(_tensor(raw.partner_inputs), partner_ids, views)
        inputs, share = self.views.mixing.blend(inputs, others, self._draws(raw.rows, raw.views))
        partner_target, partner_mask = self._targets(raw.partners)
        mix = Mix(torch.from_numpy(share), partner_target, partner_mask)
        return Batch(ids, views, inputs, target, mask, mix=mix)

    def _draws(self, rows: Rows, views: Rows) -> Draws:
        ids = np.asarray(self.source.ids[rows])
        return Draws(streams(self.views.seed, ids, views), len(self.views.ops))

    def _targets(self, rows: Rows) -> tuple[Tensor, Tensor | None]:
        """Labels as batches want them: int64, and a mask wherever the source has unlabelled examples."""
        labels = torch.from_numpy(self._labels[rows].astype(np.int64))
        return (labels, None) if self._all_known else (labels.clamp(min=0), labels >= 0)


def _tensor(inputs: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.require(inputs, requirements=["C", "W"]))
