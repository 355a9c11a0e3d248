"""Validation chooses: short runs of all candidates, full runs of the best few, since short runs misrank."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from limbeck.record import Trial, Tuning
from limbeck.runs.arms import Arm, in_words
from limbeck.runs.fit import Fitted, Settings
from limbeck.task import Task

Run = Callable[[Settings, int], Fitted]
"""Trains the arm with these settings for so many steps, with the run's first seed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What validation chose.

    Attributes:
        settings: of the best candidate.
        trials: all that were trained for it; none where there was a single candidate.
        best: the training whose settings these are; `None`: nothing was tuned.
        finalists: how many ran at full length.
    """

    settings: Settings
    trials: tuple[Trial, ...] = ()
    best: Fitted | None = None
    finalists: int = 0


def choose(
    candidates: Sequence[Settings], run: Run, *, task: Task, steps: int, short_share: float, finalists: int
) -> Choice:
    """Chooses settings on validation, and on nothing else.

    Every candidate runs for `short_share` of the steps (with a schedule of that length); the best `finalists` run at
    full length, and the better of them is taken. Ties go to the lower validation loss, then to the earlier candidate.

    Args:
        candidates: at least one; with a single one no trial is needed.
        run: trains one of them.
        task: what better means.
        steps: of a full run.
        short_share: length of a short run, 0 < share <= 1.
        finalists: how many run at full length, at least 1.

    Returns:
        The choice and all trials.
    """
    if len(candidates) == 1:
        return Choice(dict(candidates[0]))
    short = max(1, round(short_share * steps))
    first = [run(settings, short) for settings in candidates]
    ranked = _ranked(first, task)
    full = [run(candidates[place], steps) for place in sorted(ranked[: max(1, finalists)])]
    best = full[_ranked(full, task)[0]]
    trials = [_trial(fitted, task, final=False) for fitted in first] + [
        _trial(fitted, task, final=True) for fitted in full
    ]
    return Choice(dict(best.job.settings), tuple(trials), best, len(full))


def tune(arm: Arm, run: Run, *, task: Task, steps: int, short_share: float, finalists: int) -> Tuning:
    """Chooses an arm's settings; see `choose`.

    Args:
        arm: its candidates.
        run: trains one of them.
        task: what better means.
        steps: of a full run.
        short_share: length of a short run, 0 < share <= 1.
        finalists: how many run at full length, at least 1.

    Returns:
        All trials and the choice, in words.
    """
    found = choose(arm.candidates, run, task=task, steps=steps, short_share=short_share, finalists=finalists)
    chosen = dict(found.settings)
    if found.best is None:
        said = f"{arm.role}: {in_words(chosen)}, nothing was tuned."
    else:
        said = _sentence(arm, found.best, found.finalists, task)
    return Tuning(role=arm.role, trials=list(found.trials), chosen=chosen, sentence=said)


def _ranked(fitted: Sequence[Fitted], task: Task) -> list[int]:
    """Places from best to worst."""
    sign = -1 if task.metric.higher_is_better else 1

    def key(place: int) -> tuple[float, float, int]:
        values = fitted[place].validation
        return sign * values[task.metric.name], values.get("nll", 0.0), place

    return sorted(range(len(fitted)), key=key)


def _trial(fitted: Fitted, task: Task, *, final: bool) -> Trial:
    value = fitted.validation[task.metric.name]
    return Trial(settings=dict(fitted.job.settings), steps=fitted.steps, value=value, final=final)


def _sentence(arm: Arm, best: Fitted, finalists: int, task: Task) -> str:
    value = best.validation[task.metric.name]
    shown = f"{100 * value:.1f}%" if task.metric.percent else f"{value:.4g}"
    who = {"student": "the student", "baseline": "the baseline", "teacher-labels": "the teacher's-labels arm"}[arm.role]
    return (
        f"For {who}, validation chose {in_words(best.job.settings)} ({shown} {task.metric.name}) among "
        f"{len(arm.candidates)} candidates, {finalists} of them at full length."
    )
