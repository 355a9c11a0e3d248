"""Who is who in a report: order, words and the one seed that ships."""

from collections.abc import Mapping, Sequence
from math import inf, sqrt

from scipy.special import stdtrit

from limbeck.record import Estimate, MetricRecord, ModelRecord, Record, Role
from limbeck.task import RANGES

ORDER: tuple[Role, ...] = ("teacher", "student", "baseline", "teacher-labels")

LABELS: Mapping[Role, str] = {
    "teacher": "Teacher",
    "student": "Student",
    "baseline": "Baseline",
    "teacher-labels": "Teacher's labels",
}

SAYS: Mapping[Role, str] = {
    "teacher": "the model that is imitated",
    "student": "taught by the teacher's soft targets",
    "baseline": "the same student, no teacher",
    "teacher-labels": "the same student, taught the teacher's hard labels",
}


def says(role: Role, record: Record) -> str:
    """What a role is in this run."""
    if record.beside is None:
        return SAYS[role]
    return {"student": f"taught by {record.beside}", "baseline": "the same student, alone"}.get(role, SAYS[role])


def by_role(record: Record) -> dict[Role, list[ModelRecord]]:
    """The run's models by role, in the order of `ORDER`, each role's in the order of their seeds."""
    found = {role: [model for model in record.models if model.role == role] for role in ORDER}
    return {role: sorted(models, key=lambda m: m.seed or 0) for role, models in found.items() if models}


def shipped(models: Sequence[ModelRecord]) -> ModelRecord:
    """The model that stands for its role: seed 0, fixed beforehand, never the best."""
    return next((model for model in models if not model.seed), models[0])


def over_seeds(estimates: Sequence[Estimate | None], within: tuple[float, float] = (-inf, inf)) -> Estimate | None:
    """Mean of one measure over seeds, with a 95% interval that adds what seeds and test examples contribute.

    The half-width is `sqrt(h_seeds^2 + h_test^2)`: `h_seeds = t(n-1, 97.5%) * sd / sqrt(n)`, and `h_test` the mean
    half-width of the seeds' own intervals, since all seeds were judged on the same test examples. One seed keeps its
    own interval; estimates without intervals give a mean without one.

    Args:
        estimates: one a seed; `None` where it was not measured.
        within: what the measure can be at all; the interval is cut there.

    Example:
        >>> over_seeds([Estimate(value=0.9), Estimate(value=0.92), None]).value
        0.91
        >>> over_seeds([]) is None
        True
    """
    found = [estimate for estimate in estimates if estimate is not None]
    if len(found) <= 1:
        return found[0] if found else None
    values = [estimate.value for estimate in found]
    n, mean = len(values), sum(values) / len(values)
    halves = [(e.ci95[1] - e.ci95[0]) / 2 for e in found if e.ci95 is not None]
    if not halves:
        return Estimate(value=mean)
    seeds = stdtrit(n - 1, 0.975) * sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
    half = sqrt(seeds**2 + (sum(halves) / len(halves)) ** 2)
    return Estimate(value=mean, ci95=(max(mean - half, within[0]), min(mean + half, within[1])))


def possible(name: str, metric: MetricRecord) -> tuple[float, float]:
    """What a measure can be at all, as far as is known.

    Args:
        name: of the measure.
        metric: the primary one; a percentage lies within 0..1.
    """
    if name == metric.name and metric.percent:
        return 0.0, 1.0
    return RANGES.get(name, (-inf, inf))


def split_of(record: Record) -> str:
    """The split that quality is reported on: "test", or the first one there is."""
    splits = [split for model in record.models for split in model.quality]
    return "test" if "test" in splits or not splits else splits[0]


def quality(models: Sequence[ModelRecord], split: str, metric: str) -> list[Estimate | None]:
    """One measure of quality of each model, `None` where it was not measured."""
    return [model.quality.get(split, {}).get(metric) for model in models]
