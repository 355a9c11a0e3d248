"""Calibration: whether a stated confidence of 80% is right 80% of the time."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import softmax

from limbeck.errors import DataError
from limbeck.measuring.quality import check_rows
from limbeck.record import Bin, Calibration, Estimate

BINS = 15
RESAMPLES = 500
_CHUNK = 2_000_000
"""Random numbers held at once."""


def calibration(logits: Float[np.ndarray, "n classes"], target: Int[np.ndarray, " n"], *, seed: int = 0) -> Calibration:
    """Expected calibration error of the top label, with its 95% interval and the bins of the reliability diagram.

    `ECE = sum over bins of |sum over the bin of (confidence - right)| / n`, with 15 bins of equal mass (Naeini et al.,
    AAAI 2015; equal mass: Nixon et al., CVPRW 2019). Examples of equal confidence share a bin, so that the order of
    rows plays no part; with many of them bins are uneven and some may be empty.

    The estimate is biased upwards, since noise in a bin never cancels. The interval resamples examples and takes that
    into account: its lower end is 0 where noise alone explains the estimate, which a plain percentile interval misses.

    Args:
        logits: one row an example.
        target: class indices; rows with a negative one are left out.
        seed: of the resampling.

    Returns:
        ECE and bins, 0..1; no interval for a single example.

    Raises:
        DataError: no row is labelled, or the numbers of rows differ.
    """
    check_rows(logits, target)
    known = np.flatnonzero(target >= 0)
    if not known.size:
        raise DataError("calibration: no example is labelled, so confidence cannot be compared with being right")
    probabilities = softmax(logits[known].astype(np.float64), axis=1)
    # Rounded, since vector units may give equal rows different last bits.
    confidence = np.round(probabilities.max(axis=1), 12)
    right = logits[known].argmax(axis=1) == target[known]
    order = np.lexsort((right, confidence))
    confidence, right = confidence[order], right[order]
    starts = np.flatnonzero(np.diff(_bins(confidence), prepend=-1))
    return Calibration(
        ece=Estimate(value=_ece(confidence - right, starts), ci95=_interval(confidence - right, starts, seed)),
        bins=_diagram(confidence, right, starts),
    )


def _bins(confidence: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Which of the bins of equal mass each example falls into, by its mean rank; ascending confidence is expected."""
    doubled = np.searchsorted(confidence, confidence, "left") + np.searchsorted(confidence, confidence, "right")
    return doubled * BINS // (2 * confidence.size)


def _ece(gap: Float[np.ndarray, " n"], starts: Int[np.ndarray, " bins"]) -> float:
    return float(np.abs(np.add.reduceat(gap, starts)).sum() / gap.size)


def _interval(gap: Float[np.ndarray, " n"], starts: Int[np.ndarray, " bins"], seed: int) -> tuple[float, float] | None:
    """95% interval, in the bins as they are; `None` for a single example."""
    if gap.size == 1:
        return None
    found = np.add.reduceat(gap, starts) / gap.size
    value = float(np.abs(found).sum())
    drawn = _resampled(gap, starts, seed)
    values = np.abs(drawn).sum(axis=1)
    noise = np.quantile(np.abs(drawn - found).sum(axis=1), 0.975)
    high = float(np.quantile(values, 0.975))
    bias = float(values.mean()) - value
    # The error of the bins' gaps bounds the error of their sum of sizes: below it, perfect calibration is possible.
    low = 0.0 if value <= noise else max(0.0, 2 * value - high)
    return low, min(1.0, max(value, high - bias))


def _resampled(
    gap: Float[np.ndarray, " n"], starts: Int[np.ndarray, " bins"], seed: int
) -> Float[np.ndarray, "resamples bins"]:
    """Mean gap of each bin (its share of all examples included) in resamples of the examples."""
    rng = np.random.default_rng(seed)
    n, rows = gap.size, max(1, _CHUNK // gap.size)
    parts = []
    for first in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - first)
        cells = rng.integers(0, n, (count, n), dtype=np.int64) + n * np.arange(count)[:, None]
        weights = np.bincount(cells.ravel(), minlength=count * n).reshape(count, n)
        parts.append(np.add.reduceat(weights * gap, starts, axis=1) / n)
    return np.concatenate(parts)


def _diagram(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], starts: Int[np.ndarray, " bins"]
) -> list[Bin]:
    counts = np.diff(starts, append=confidence.size)
    sums = zip(np.add.reduceat(confidence, starts), np.add.reduceat(right.astype(float), starts), counts, strict=True)
    return [Bin(confidence=float(c / k), accuracy=float(r / k), count=int(k)) for c, r, k in sums]
