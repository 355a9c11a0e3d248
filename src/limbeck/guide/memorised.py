"""Has the teacher memorised its training data? Then its soft labels there are nearly hard ones, and teach nothing more.

In a trial a teacher gave its own training examples a top probability of 0.9995 on average while it erred on validation:
temperature cannot bring back what is not there. Labels from teachers that did not train on the example (cross-fitting),
or from unlabelled and strongly varied views, are softer.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import log_softmax

from limbeck.core.protocols import SignalSource
from limbeck.data.draws import shuffled
from limbeck.data.loader import evaluation_batches
from limbeck.data.source import Source
from limbeck.data.subset import Subset
from limbeck.errors import DataError

SOFTNESS_RATIO = 0.25
"""Warn where the probability off the top class is below this share of what it is on held-out examples ..."""
ERRORS = 0.01
"""... and the teacher errs on at least this share more of them than of its own."""


@dataclass(frozen=True, slots=True)
class Softness:
    """How soft a teacher's answers are on some labelled examples, at T = 1.

    Attributes:
        examples: how many.
        top: mean probability of the top class, 1/classes..1.
        entropy: mean, nats.
        accuracy: share of right top classes, 0..1.
    """

    examples: int
    top: float
    entropy: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Memorised:
    """A teacher on its own training examples, and on others.

    Attributes:
        own: on examples that it was trained on.
        held_out: on examples that it was not.
    """

    own: Softness
    held_out: Softness

    @property
    def softness_ratio(self) -> float:
        """`(1 - top)` on its own examples over that on held-out ones: 1 = as soft, 0 = one-hot."""
        return (1 - self.own.top) / max(1 - self.held_out.top, 1e-12)


def softness(logits: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"]) -> Softness:
    """Of these logits.

    Args:
        logits: of the teacher.
        labels: class indices, all known.

    Example:
        >>> softness(np.array([[0.0, 0.0], [9.0, 0.0]]), np.array([1, 0])).accuracy
        0.5
    """
    log_p = log_softmax(logits.astype(np.float64), axis=1)
    p = np.exp(log_p)
    return Softness(
        examples=len(labels),
        top=float(p.max(axis=1).mean()),
        entropy=float(-(p * np.where(p > 0, log_p, 0.0)).sum(axis=1).mean()),
        accuracy=float((logits.argmax(axis=1) == labels).mean()),
    )


def measure(
    teacher: SignalSource,
    own: Source,
    held_out: Source,
    *,
    most: int = 2000,
    batch_size: int = 256,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Memorised:
    """Asks the teacher about raw examples of both kinds.

    Args:
        teacher: live, or a guide that holds raw examples of both.
        own: what it was trained on; unlabelled examples are left out.
        held_out: what it was not.
        most: examples of each kind, a random sample.
        batch_size: examples asked about at once.
        seed: of the sample.
        device: where the teacher is.

    Raises:
        DataError: one of the two has no labelled example.
    """
    parts = [
        _softness_on(teacher, _sample(source, most, seed), batch_size=batch_size, device=device)
        for source in (own, held_out)
    ]
    return Memorised(parts[0], parts[1])


def _sample(source: Source, most: int, seed: int) -> Source:
    rows = np.flatnonzero(source.labels >= 0)
    if not rows.size:
        raise DataError(f"{source.name}: no labelled example, so it cannot be told how often the teacher errs")
    return Subset(source, np.sort(rows[shuffled(len(rows), "softness", seed)[:most]]))


def _softness_on(teacher: SignalSource, sample: Source, *, batch_size: int, device: torch.device | str) -> Softness:
    logits = []
    for batch in evaluation_batches(sample, batch_size):
        told = teacher.signals(batch.to(device)).logits
        assert told is not None, "softness is measured on full logits"
        logits.append(told.cpu().numpy())
    return softness(np.concatenate(logits), sample.labels)


def warning(found: Memorised) -> str | None:
    """What to tell the user, or `None` where the teacher is as soft on its own examples as on others.

    Example:
        >>> own, other = Softness(500, 0.9995, 0.002, 1.0), Softness(500, 0.97, 0.09, 0.94)
        >>> str(warning(Memorised(own, other)))[:95]
        'The teacher has memorised its training data: on them its top probability is 0.9995 (accuracy 10'
    """
    gap = found.own.accuracy - found.held_out.accuracy
    if found.softness_ratio >= SOFTNESS_RATIO or gap < ERRORS:
        return None
    own, other = found.own, found.held_out
    return (
        f"The teacher has memorised its training data: on them its top probability is {own.top:.4f} (accuracy "
        f"{own.accuracy:.1%}), on held-out examples {other.top:.4f} (accuracy {other.accuracy:.1%}), so most of its "
        "labels are nearly hard. Label with teachers trained on other folds, add unlabelled examples, or train the "
        "teacher less."
    )
