"""What each term of the objective came to: its share of the loss, and terms that did nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from limbeck.objectives import WeightedSum
from limbeck.objectives.schedule import Schedule, jump
from limbeck.training import gradients, loss_shares

IDLE = 0.01
"""A term that never has this share of the loss, or of the gradient where that was logged, does nothing."""
EARLY = 1 / 3
"""The share of a stage after which a term that did nothing is named."""
_MEND = "raise its weight, let train.balance choose it, or leave it out"
_MEND_BESIDE = "raise its weight, or leave it out"
"""Where the teacher grows with the student, train.balance is refused: see `limbeck.recipe.growing`."""
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
    mark = gradients.PREFIX
    pulls = {name.removeprefix(mark): value for name, value in logged.items() if name.startswith(mark)}
    return loss_shares.of_loss(
        pulls or {name: value for name, value in logged.items() if not name.startswith(loss_shares.PREFIX)}
    )


def notes_on_terms(histories: Sequence[Sequence[Mapping[str, Any]]], *, grows: bool = False) -> list[str]:
    """Sentences for the report: shares at the end, and terms that never counted; none for a single term.

    Args:
        histories: of the student's seeds; rows of `{"step", "epoch", "values"}`.
        grows: whether the teacher grows with the student.
    """
    rows = [row["values"] for history in histories for row in history]
    last = [shares(history[-1]["values"]) for history in histories]
    names = list(dict.fromkeys(name for row in rows for name in shares(row)))
    if len(names) < 2:
        return []
    what = _measured(rows[-1])
    mean = {name: sum(each.get(name, 0.0) for each in last) / len(last) for name in names}
    told = ", ".join(f"{name} {share:.0%}" for name, share in mean.items() if any(name in each for each in last))
    notes = [f"Shares of the student's {what} at the end of training: {told}."]
    did = f"never had {IDLE:.0%} of the {what}, so it did nothing: {_mend(grows)}."
    return notes + [f"{name} {did}" for name in idle(rows)]


def idle(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Terms that in none of these looks had a share worth the name; none where there is a single term.

    Args:
        rows: values of the history's rows.

    Example:
        >>> idle([{"train/hint": 0.001, "train/soft-targets": 3.0}])
        ['hint']
    """
    found = [shares(row) for row in rows]
    names = list(dict.fromkeys(name for each in found for name in each))
    if len(names) < 2:
        return []
    return [name for name in names if max(each.get(name, 0.0) for each in found) < IDLE]


def early_words(
    history: Sequence[Mapping[str, Any]], objective: WeightedSum, *, start: int, end: int, of: str = "training",
    grows: bool = False,
) -> dict[str, str]:  # fmt: skip
    """What to say, at the first look after a third of a stage, of each term that has done nothing in it; by its name.

    Nothing is said at any other look, the last one included (the report says it then), nor where a weight is still to
    change: a term that begins late has done nothing yet.

    Args:
        history: up to the look.
        objective: the stage's.
        start: the training's step before the stage.
        end: its step after the stage.
        of: what the stage is called.
        grows: whether the teacher grows with the student.
    """
    looks = [row for row in history if start < row["step"] <= end]
    due = start + EARLY * (end - start)
    if not looks or looks[-1]["step"] == end or looks[-1]["step"] < due:
        return {}
    if any(row["step"] >= due for row in looks[:-1]):
        return {}
    done = (looks[-1]["step"] - start) / (end - start)
    if not all(_steady(schedule, done) for schedule in objective.schedules):
        return {}
    rows = [row["values"] for row in looks]
    so_far = f"has had less than {IDLE:.0%} of the {_measured(rows[-1])} in the first {done:.0%} of {of}"
    return {name: f"{name} {so_far}, so it does nothing: {_mend(grows)}." for name in idle(rows)}


def _mend(grows: bool) -> str:
    return _MEND_BESIDE if grows else _MEND


def _steady(schedule: Schedule, done: float) -> bool:
    """Whether a weight stays as it is from here on: half way of what is left, and behind a jump.

    Schedules are straight lines but for one jump or bend, and no step is at the very end, 1, where a jump changes none.
    """
    jumped = jump(schedule)
    later = [(1 + done) / 2, *([] if jumped is None or not done < jumped < 1 else [jumped])]
    return all(schedule.at(point) == schedule.at(done) for point in later)


def _measured(values: Mapping[str, float]) -> str:
    """What the shares of a look are shares of."""
    return "gradient" if any(name.startswith(f"{_TRAIN}{gradients.PREFIX}") for name in values) else "loss"
