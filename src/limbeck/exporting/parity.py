"""Whether an exported file still is the student: the same logits, the same labels, on the same examples."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from limbeck.errors import BundleError, ExportError
from limbeck.record import Parity
from limbeck.task import Task

MAX_ABS_ERROR = 1e-3
MIN_AGREEMENT = 0.999


def parity(
    reference: Float[np.ndarray, "n outputs"],
    exported: Callable[[NDArray[Any]], NDArray[Any]],
    raw: NDArray[Any],
    target: Int[np.ndarray, " n"] | None,
    task: Task,
) -> Parity:
    """Runs the export on `raw` and compares it with the student's own logits.

    Args:
        reference: logits of the eager student on `raw`.
        exported: raw examples in, logits out.
        raw: `n` examples, at least one.
        target: class indices, -1 where unknown; for the export's own quality.
        task: says what agreement and quality are.

    Returns:
        What was found; nothing is judged here.

    Raises:
        ExportError: the export does not run, gives another shape, or NaN or infinity.
    """
    try:
        logits = exported(raw)
    except BundleError as error:
        raise ExportError(f"the export does not run: {error}") from error
    if logits.shape != reference.shape:
        raise ExportError(f"the export gives shape {logits.shape}, but the student gives {reference.shape}")
    largest = np.abs(logits.astype(np.float64) - reference.astype(np.float64)).max(initial=0.0)
    if not np.isfinite(largest):
        raise ExportError(
            f"the export or the student gives NaN or infinity on {_not_finite(logits, reference)} examples"
        )
    return Parity(
        examples=len(reference),
        max_abs_error=float(largest),
        agreement=float(np.mean(task.fidelity(logits, reference)["agreement"])),
        quality=_quality(logits, target, task),
    )


def scale_of(reference: Float[np.ndarray, "n outputs"]) -> float:
    """Size of the largest logit, at least 1: what errors are small or large against."""
    return max(1.0, float(np.abs(reference).max(initial=0.0)))


def require_parity(
    parity: Parity,
    *,
    where: str,
    scale: float = 1.0,
    max_abs_error: float = MAX_ABS_ERROR,
    min_agreement: float = MIN_AGREEMENT,
) -> None:
    """Refuses an export that is not the student it came from. Nothing is deleted, so that it can be looked at.

    Args:
        parity: what was found.
        where: the file, for the message.
        scale: see `scale_of`; `max_abs_error` is relative to it.
        max_abs_error: largest difference of a logit allowed, as a share of `scale`; > 0.
        min_agreement: smallest share of the same top label, 0..1. One example may always differ: the last bit
            breaks a tie, and of few examples one is a large share.

    Raises:
        ExportError: with both numbers.
    """
    allowed = max_abs_error * scale
    disagreeing = round((1 - parity.agreement) * parity.examples)
    if parity.max_abs_error <= allowed and disagreeing <= max(1.0, (1 - min_agreement) * parity.examples):
        return
    raise ExportError(
        f"{where} is not the student it came from: on {parity.examples} examples its logits differ by up to "
        f"{parity.max_abs_error:.3g} (allowed: {allowed:.3g}) and {parity.agreement:.2%} of its labels agree (needed: "
        f"{min_agreement:.2%}). The file was kept for you to look at; do not use it"
    )


def _quality(logits: NDArray[Any], target: NDArray[Any] | None, task: Task) -> float | None:
    known = np.flatnonzero(target >= 0) if target is not None else np.empty(0, int)
    if target is None or not known.size:
        return None
    return float(np.mean(task.scores(logits[known], target[known])[task.metric.name]))


def _not_finite(*logits: NDArray[Any]) -> int:
    return int(np.any([~np.isfinite(each).all(axis=1) for each in logits], axis=0).sum())
