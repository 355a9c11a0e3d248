"""`TakingTurns`: each view of each example is answered by one of several teachers, so that all cost as much as one.

One random teacher for each training input is the ensemble's benefit at one teacher's price (Fukuda et al. 2017;
Blakeney et al. 2022 draw one a step). Drawn by example and view, and not by step, the answers can be written down: the
guide of several teachers then takes the bytes of one, and the labelling of one but for the chunks that each teacher's
rows fill up, about an eighth more. Asked live about small batches, most of each chunk is filling, and a step costs up
to as much as all teachers do; there one random teacher a step is the cheaper rule.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from limbeck.core.batch import Batch
from limbeck.core.identity import fingerprint
from limbeck.core.signals import Signals
from limbeck.data.draws import Draws, key, streams
from limbeck.data.preprocess import Preprocess
from limbeck.teachers.by_row import by_row
from limbeck.teachers.live import LiveTeacher


class TakingTurns:
    """A signal source that asks one teacher about each row, drawn by a hash of the row's example and view.

    Where there are no views, each example keeps its teacher for the whole of training.

    Args:
        together: all of them as one; the facts of a guide are its.
        parts: the teachers.
        weights: how often each is drawn, summing to 1.
        seed: of the draws.
    """

    def __init__(
        self, together: LiveTeacher, parts: Sequence[LiveTeacher], *, weights: Sequence[float], seed: int
    ) -> None:
        self.together, self.parts, self.weights, self.seed = together, list(parts), tuple(weights), seed

    @property
    def preprocess(self) -> Preprocess:
        """Raw views go in; each teacher has its own behind it."""
        return self.together.preprocess

    @property
    def chunk(self) -> int:
        """Rows a forward pass, alike for all of them."""
        return self.together.chunk

    @property
    def classes(self) -> tuple[str, ...]:
        """The data's class names."""
        return self.together.classes

    def fingerprint(self) -> str:
        """SHA-256 over all teachers, how often each is drawn, and the seed."""
        return fingerprint(["turns", [part.fingerprint() for part in self.parts], list(self.weights), self.seed])

    def signals(self, batch: Batch) -> Signals:
        """Logits row by row, each from the teacher whose turn it is."""
        return by_row(self.parts, self.drawn(batch.ids.cpu().numpy(), batch.views.cpu().numpy()), batch)

    def drawn(self, ids: Int[np.ndarray, " b"], views: Int[np.ndarray, " b"]) -> Int[np.ndarray, " b"]:
        """Which teacher answers each row.

        Args:
            ids: of the examples.
            views: their numbers.
        """
        uniform = Draws(streams(int(key("turns", self.seed)), ids, views), 0).uniform(1)[:, 0]
        return np.searchsorted(np.cumsum(self.weights)[:-1], uniform, side="right").astype(np.int64)
