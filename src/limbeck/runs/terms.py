"""What each term of the objective came to: its share of the loss, and terms that did nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from limbeck.training.gradients import PREFIX

IDLE = 0.01
"""A term that never has this share of the loss, or of the gradient where that was logged, does nothing."""
_TRAIN = "train/"


def shares(values: Mapping[str, float]) -> dict[str, float]:
    """Each term's share of one look's loss, 0..1; of the gradient where that was logged.

    Args:
        values: of a row of the history.

    Example:
        >>> shares({"train/hint": 1.0, "train/soft-targets": 3.0, "val/accuracy": 0.5})
        {'hint': 0.25, 'soft-targets': 0.75}
    """
    logged = {name.removeprefix(_TRAIN): value for name, value in values.items() if name.startswith(_TRAIN)}
    pulls = {name.removeprefix(PREFIX): value for name, value in logged.items() if name.startswith(PREFIX)}
    sizes = pulls or {name: abs(value) for name, value in logged.items()}
    total = sum(sizes.values())
    return {name: value / total if total else 0.0 for name, value in sizes.items()}


def notes_on_terms(histories: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """Sentences for the report: shares at the end, and terms that never counted; none for a single term.

    Args:
        histories: of the student's seeds; rows of `{"step", "epoch", "values"}`.
    """
    rows = [row["values"] for history in histories for row in history]
    last = [shares(history[-1]["values"]) for history in histories]
    names = list(dict.fromkeys(name for row in rows for name in shares(row)))
    if len(names) < 2:
        return []
    what = "gradient" if any(name.startswith(f"{_TRAIN}{PREFIX}") for name in rows[-1]) else "loss"
    mean = {name: sum(each.get(name, 0.0) for each in last) / len(last) for name in names}
    told = ", ".join(f"{name} {share:.0%}" for name, share in mean.items() if any(name in each for each in last))
    notes = [f"Shares of the student's {what} at the end of training: {told}."]
    idle = [name for name in names if max(shares(row).get(name, 0.0) for row in rows) < IDLE]
    return notes + [
        f"{name} never had {IDLE:.0%} of the {what}, so it did nothing: raise its weight, let train.balance choose it, "
        "or leave it out."
        for name in idle
    ]
