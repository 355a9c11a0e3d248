"""`CrossFitted`: each training example is labelled by a teacher that was not trained on it.

A teacher's answers on its own training data can be nearly one-hot, whatever the temperature. Teachers trained on the
other folds have not seen the example, and answer as softly as they would on new data (stacking's remedy, Wolpert 1992).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from limbeck.core.batch import Batch
from limbeck.core.identity import fingerprint, mix
from limbeck.core.signals import Signals
from limbeck.data.draws import key
from limbeck.data.preprocess import Preprocess
from limbeck.teachers.by_row import by_row
from limbeck.teachers.live import LiveTeacher


def folds_of(ids: Int[np.ndarray, " n"], folds: int, seed: int) -> Int[np.ndarray, " n"]:
    """Which fold each example belongs to, by a hash of its id: 0..folds-1."""
    hashed = mix(np.asarray(ids, dtype=np.int64).view(np.uint64) ^ key("fold", seed))
    return (hashed % np.uint64(folds)).astype(np.int64)


class CrossFitted:
    """A signal source that asks, for each row, the teacher whose training left the row's fold out.

    Examples that no teacher was trained on are answered by `whole`, the teacher trained on all folds.

    Args:
        whole: trained on all of `ids`.
        parts: `parts[f]` was trained on all folds but `f`; at least two.
        ids: the examples that teachers were trained on.
        seed: of the folds.
    """

    def __init__(
        self, whole: LiveTeacher, parts: Sequence[LiveTeacher], *, ids: Int[np.ndarray, " n"], seed: int
    ) -> None:
        self.whole, self.parts, self.seed = whole, list(parts), seed
        self._ids = np.sort(np.asarray(ids, dtype=np.int64))

    @property
    def preprocess(self) -> Preprocess:
        """Alike for all of them."""
        return self.whole.preprocess

    @property
    def chunk(self) -> int:
        """Rows a forward pass, alike for all of them."""
        return self.whole.chunk

    @property
    def classes(self) -> tuple[str, ...]:
        """The data's class names."""
        return self.whole.classes

    def fingerprint(self) -> str:
        """SHA-256 over all teachers and the division into folds."""
        everyone = [teacher.fingerprint() for teacher in (self.whole, *self.parts)]
        return fingerprint(["cross-fitted", everyone, self.seed])

    def signals(self, batch: Batch) -> Signals:
        """Logits row by row, each from the teacher that may answer; features are not cross-fitted."""
        return by_row((*self.parts, self.whole), self._speakers(batch.ids.cpu().numpy()), batch)

    def _speakers(self, ids: Int[np.ndarray, " b"]) -> Int[np.ndarray, " b"]:
        place = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        known = self._ids[place] == ids
        return np.where(known, folds_of(ids, len(self.parts), self.seed), len(self.parts))
