"""The numbers that charts are drawn from, thinned and rounded, each embedded once."""

from collections.abc import Mapping, Sequence
from math import floor, log10
from typing import Any

import numpy as np

from limbeck.record import ModelRecord, Record
from limbeck.reporting.inputs import AbsentError, Curve, RunFiles
from limbeck.reporting.roles import by_role, over_seeds, possible, quality, shipped, split_of

POINTS = 120
"""The most points of one curve that are drawn."""

PANELS = 6
"""The most panels of curves."""

Rows = list[dict[str, Any]]


def sizes(record: Record) -> Rows:
    """One row a model (its quality, its costs) and one a role (the mean over seeds, with its interval).

    Raises:
        AbsentError: no model has a quality.
    """
    split, name, rows = split_of(record), record.metric.name, []
    for role, models in by_role(record).items():
        estimates = quality(models, split, name)
        mean, ship = over_seeds(estimates, possible(name, record.metric)), shipped(models)
        if mean is None:
            continue
        costs = {"bytes": ship.size_bytes, "params": ship.params}
        seeds = [e.value for e in estimates if e is not None]
        low, high = mean.ci95 or (mean.value, mean.value)
        rows.append({"role": role, "mean": True, "value": mean.value, "low": low, "high": high, **costs})
        rows += [{"role": role, "mean": False, "value": value, **costs} for value in seeds if len(seeds) > 1]
    if not rows:
        raise AbsentError("no quality was measured")
    return [_rounded(row) for row in rows]


def curves(files: RunFiles) -> dict[str, list[dict[str, Any]]]:
    """Curves by the name of the number: one entry a run, and one a role for the mean over its seeds.

    Raises:
        AbsentError: no model kept a history.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    reasons = []
    for role, models in by_role(files.record).items():
        runs: dict[str, list[Curve]] = {}
        for model in models:
            try:
                for curve in files.curves(model):
                    runs.setdefault(curve.name, []).append(thinned(curve))
            except AbsentError as reason:
                reasons.append(str(reason))
        for name, group in runs.items():
            found.setdefault(name, []).extend(_entries(role, group))
    if not found:
        raise AbsentError(reasons[0] if reasons else "no model was trained")
    return {name: found[name] for name in _ordered(list(found), files.record.metric.name)[:PANELS]}


def thinned(curve: Curve, points: int = POINTS) -> Curve:
    """At most `points` points: the mean of each stretch of equal length, at the stretch's last step.

    Example:
        >>> thinned(Curve("loss", [1, 2, 3, 4], [4.0, 2.0, 1.0, 0.0]), points=2)
        Curve(name='loss', steps=[2, 4], values=[3.0, 0.5])
    """
    if len(curve.steps) <= points:
        return curve
    stretches = np.array_split(np.arange(len(curve.steps)), points)
    steps = [curve.steps[stretch[-1]] for stretch in stretches]
    return Curve(curve.name, steps, [float(np.mean(np.array(curve.values)[stretch])) for stretch in stretches])


def reliability(record: Record) -> Rows:
    """The bins of the seed that ships, one row a bin and role.

    Raises:
        AbsentError: no model's calibration was measured.
    """
    rows = [
        _rounded({"role": role, "confidence": b.confidence, "accuracy": b.accuracy, "count": b.count})
        for role, models in by_role(record).items()
        for b in _bins(shipped(models))
    ]
    if not rows:
        raise AbsentError("no model's calibration was measured")
    return rows


def _bins(model: ModelRecord) -> Sequence[Any]:
    return sorted(model.calibration.bins, key=lambda b: b.confidence) if model.calibration else []


def _entries(role: str, runs: Sequence[Curve]) -> list[dict[str, Any]]:
    """The runs, thin where there are several, and their mean where all were written down at the same steps."""
    together = len(runs) > 1 and all(run.steps == runs[0].steps for run in runs)
    entries = [_entry(role, run, bold=len(runs) == 1) for run in runs]
    if together:
        mean = Curve(runs[0].name, runs[0].steps, [float(v) for v in np.mean([run.values for run in runs], axis=0)])
        entries.append(_entry(role, mean, bold=True))
    return entries


def _entry(role: str, curve: Curve, *, bold: bool) -> dict[str, Any]:
    values = [_round(value, 4) for value in curve.values]
    return {"role": role, "bold": bold, "step": curve.steps, "value": values}


def _ordered(names: Sequence[str], metric: str) -> list[str]:
    """The primary metric on validation first, then the loss terms, then their shares, then the rest."""

    def key(name: str) -> tuple[int, str]:
        if name == f"val/{metric}":
            return 0, name
        if is_share(name):
            return 2, name
        return (1 if name.startswith("train/") else 3), name

    return sorted(names, key=key)


def is_share(name: str) -> bool:
    """Whether a curve is a term's share, of the loss or of the gradient."""
    return name.startswith(("train/share/", "train/gradient/"))


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _round(value, 5) if isinstance(value, float) else value for key, value in row.items()}


def _round(value: float, digits: int) -> float:
    """To significant digits."""
    return round(value, digits - 1 - floor(log10(abs(value)))) if value else 0.0
