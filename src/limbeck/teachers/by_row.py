"""Several teachers, of whom each row of a batch hears one."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.teachers.live import LiveTeacher


def by_row(teachers: Sequence[LiveTeacher], speaker: Int[np.ndarray, " b"], batch: Batch) -> Signals:
    """Logits row by row, each from its own teacher; who has no row is not asked.

    Args:
        teachers: all give as many logits.
        speaker: for each row, which of them answers.
        batch: one input a row.
    """
    assert isinstance(batch.inputs, Tensor), "several inputs come with tokenised text"
    logits: Tensor | None = None
    for number in np.unique(speaker):
        rows = torch.from_numpy(np.flatnonzero(speaker == number)).to(batch.inputs.device)
        said = teachers[number].signals(Batch(batch.ids[rows], batch.views[rows], batch.inputs[rows])).logits
        assert said is not None, "a live teacher always gives logits"
        if logits is None:
            logits = said.new_empty(len(batch), said.shape[1])
        logits[rows] = said
    assert logits is not None, "a batch has rows"
    return Signals(logits=logits)
