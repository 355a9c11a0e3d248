"""Stratified choices: which examples are held out, which labels are kept. Functions of labels, share and seed alone."""

import numpy as np
from jaxtyping import Bool, Int

from limbeck.data.draws import shuffled
from limbeck.errors import DataError, InputError


def stratified(
    labels: Int[np.ndarray, " n"], fraction: float, seed: int
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, " held"]]:
    """Holds out about `fraction` of each class, at least one and never all of a class of two or more.

    Unlabelled rows (-1) and the only example of a class are kept.

    Args:
        labels: class indices, -1 where unknown.
        fraction: share of the labelled rows to hold out, between 0 and 1.
        seed: chooses which.

    Returns:
        The rows kept and the rows held out, each in ascending order.

    Raises:
        InputError: the fraction is not between 0 and 1.
        DataError: no class has two labelled examples, so that nothing can be held out.

    Example:
        >>> stratified(np.array([0, 0, 1, 1, -1]), 0.5, seed=0)[1].size
        2
    """
    if not 0 < fraction < 1:
        raise InputError(f"share to hold out: expected a number between 0 and 1, got {fraction}")
    held = np.zeros(len(labels), dtype=bool)
    for rows in _by_class(labels, "split", seed):
        count = min(max(_rounded(fraction * len(rows)), 1), len(rows) - 1)
        held[rows[:count]] = True
    if not held.any():
        raise DataError(
            "no class has two labelled examples, so none can be held out for validation; "
            "label more, or give validation data of their own (data.validation)"
        )
    return np.flatnonzero(~held), np.flatnonzero(held)


def keep_labels(labels: Int[np.ndarray, " n"], fraction: float, seed: int) -> Bool[np.ndarray, " n"]:
    """True where the label is kept: about `fraction` of each class, at least one.

    What a smaller fraction keeps, a larger one keeps too (same seed), so that learning curves compare like with like.

    Args:
        labels: class indices, -1 where unknown (never kept).
        fraction: share of the labels to keep, above 0 and at most 1.
        seed: chooses which.

    Raises:
        InputError: the fraction is out of range.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"share of labels to keep: expected a number above 0 and at most 1, got {fraction}")
    kept = np.zeros(len(labels), dtype=bool)
    for rows in _by_class(labels, "labels", seed):
        kept[rows[: max(_rounded(fraction * len(rows)), 1)]] = True
    return kept


def _by_class(labels: Int[np.ndarray, " n"], domain: str, seed: int) -> list[Int[np.ndarray, " m"]]:
    """The rows of each class that occurs, in the order in which they are chosen."""
    order = shuffled(len(labels), domain, seed)
    order = order[labels[order] >= 0]
    by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.flatnonzero(np.diff(labels[by_class])) + 1
    return [rows for rows in np.split(by_class, starts) if len(rows)]


def _rounded(value: float) -> int:
    return int(value + 0.5)
