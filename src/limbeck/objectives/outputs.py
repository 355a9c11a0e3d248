"""What an objective on outputs reads from signals and batches, and what is said where it is not there."""

from jaxtyping import Bool
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError


def both_logits(method: str, student: Signals, teacher: Signals | None) -> tuple[Tensor, Tensor]:
    """All logits of both sides.

    Raises:
        ModelError: one side gives none.
    """
    if student.logits is None or teacher is None:
        raise ModelError(f"{method} needs the student's logits and a teacher's answer; give a teacher")
    if teacher.logits is None:
        raise ModelError(f"{method} needs all of the teacher's logits; write the guide with signal: logits")
    return student.logits, teacher.logits


def labels(method: str, batch: Batch) -> tuple[Tensor, Bool[Tensor, " b"] | None]:
    """The batch's labels, 0 where they are unknown, and which are known (`None`: all).

    Raises:
        ModelError: the batch has no labels, or its views mix two examples.
    """
    if batch.target is None:
        raise ModelError(f"{method} needs a labelled batch; leave it out for unlabelled data")
    if batch.mix is not None:
        raise ModelError(f"{method} needs one label a row, and these views mix two examples; leave mixing out")
    if batch.target_mask is None:
        return batch.target, None
    unknown = ~batch.target_mask.reshape(-1, *[1] * (batch.target.ndim - 1))
    return batch.target.masked_fill(unknown, 0), batch.target_mask


def columns(values: Tensor) -> Tensor:
    """One number a row, `(b,)`, becomes `(b, 1)`; other shapes stay."""
    return values[:, None] if values.ndim == 1 else values
