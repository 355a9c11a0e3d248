"""Teacher, student, baseline and the rest side by side: one row a measure, one column a role."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from limbeck.record import Estimate, Latency, MetricRecord, ModelRecord, Record, Role
from limbeck.reporting import numbers
from limbeck.reporting.numbers import ratio
from limbeck.reporting.roles import LABELS, SAYS, Models, by_role, over_seeds, quality, shipped, split_of

Show = Callable[[float], str]


@dataclass(frozen=True)
class Cell:
    """One measure of one role.

    Attributes:
        value: in words; `numbers.ABSENT` where it does not apply.
        detail: the interval, or how it compares with the teacher.
        dots: place of each seed between the row's lowest and highest, in percent.
    """

    value: str
    detail: str = ""
    dots: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """One row of the table; `word` is its entry in the glossary."""

    title: str
    word: str
    cells: list[Cell]
    note: str = ""


@dataclass(frozen=True)
class Column:
    """One role: its name in the style sheet, its heading and what it is."""

    role: Role
    label: str
    says: str
    name: str
    seeds: str


@dataclass(frozen=True)
class Comparison:
    """The whole table: columns, and rows under headings."""

    columns: list[Column]
    groups: list[tuple[str, list[Line]]]
    split: str


def comparison(record: Record) -> Comparison:
    """Everything that can be laid side by side; rows that no model has are left out."""
    models, split = by_role(record), split_of(record)
    groups = {
        "What it knows": [
            *_quality_lines(models, split, record.metric),
            _line("Calibration error (ECE)", "ece", models, _ece, numbers.share),
        ],
        "How like its teacher it is": _fidelity_lines(models),
        "What it costs": [
            _cost("Parameters", "parameters", models, lambda m: m.params, numbers.count, smaller="fewer"),
            _cost("Multiply-accumulates", "macs", models, lambda m: m.macs, numbers.count, smaller="fewer"),
            _cost("Size as stored", "size", models, lambda m: m.size_bytes, numbers.size, smaller="smaller"),
            _cost("Peak memory", "memory", models, lambda m: m.peak_memory_bytes, numbers.size, smaller="smaller"),
            *_latency_lines(models),
        ],
        "What it took": [
            _cost("Training time", "training-time", models, lambda m: m.train_s, numbers.duration_s),
            _cost("Optimiser steps", "steps", models, lambda m: m.steps, lambda n: f"{n:,.0f}"),
        ],
    }
    told = {title: [line for line in lines if _told(line)] for title, lines in groups.items()}
    return Comparison(_columns(models), [(title, lines) for title, lines in told.items() if lines], split)


def _ece(model: ModelRecord) -> Estimate | None:
    return model.calibration.ece if model.calibration else None


def _told(line: Line) -> bool:
    return any(cell.value != numbers.ABSENT for cell in line.cells)


def _columns(models: Models) -> list[Column]:
    def seeds(found: Sequence[ModelRecord]) -> str:
        seeded = all(model.seed is not None for model in found)
        return f"{len(found)} {'seeds' if seeded else 'models'}" if len(found) > 1 else ""

    return [Column(role, LABELS[role], SAYS[role], shipped(found).name, seeds(found)) for role, found in models.items()]


def _line(title: str, word: str, models: Models, get: Callable[[ModelRecord], Estimate | None], show: Show) -> Line:
    """A measure that has an interval and differs between seeds."""
    found = {role: [get(model) for model in group] for role, group in models.items()}
    values = [e.value for estimates in found.values() for e in estimates if e is not None]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)

    def dots(estimates: Sequence[Estimate | None]) -> list[float]:
        return [round(100 * (e.value - low) / ((high - low) or 1), 1) for e in estimates if e is not None]

    def cell(estimates: Sequence[Estimate | None]) -> Cell:
        mean = over_seeds(estimates)
        if mean is None:
            return Cell(numbers.ABSENT)
        detail = numbers.span(*mean.ci95, show) if mean.ci95 else ""
        return Cell(show(mean.value), detail, dots(estimates) if high > low else [])

    return Line(title, word, [cell(estimates) for estimates in found.values()])


def _quality_lines(models: Models, split: str, metric: MetricRecord) -> list[Line]:
    names = [name for group in models.values() for model in group for name in model.quality.get(split, {})]
    ordered = [name for name in dict.fromkeys([metric.name, *names]) if name in names]

    def one(name: str) -> Line:
        def get(model: ModelRecord) -> Estimate | None:
            return quality([model], split, name)[0]

        show: Show = (lambda v: numbers.score(v, metric)) if name == metric.name else numbers.significant
        title = {"nll": "Negative log-likelihood", "brier": "Brier score"}.get(name, name.capitalize())
        return _line(title, name, models, get, show)

    return [one(name) for name in ordered]


def _fidelity_lines(models: Models) -> list[Line]:
    def ceiling(model: ModelRecord) -> Estimate | None:
        value = model.fidelity.agreement_ceiling if model.fidelity else None
        return None if value is None else Estimate(value=value)

    def on_errors(model: ModelRecord) -> Estimate | None:
        value = model.fidelity.agreement_on_teacher_errors if model.fidelity else None
        return None if value is None else Estimate(value=value)

    return [
        _line(
            "Agreement with the teacher",
            "agreement",
            models,
            lambda m: m.fidelity.agreement if m.fidelity else None,
            numbers.share,
        ),
        _line("Agreement between its own seeds", "ceiling", models, ceiling, numbers.share),
        _line("Teacher's errors repeated", "teacher-errors", models, on_errors, numbers.share),
        _line(
            "KL from the teacher (nats)",
            "kl",
            models,
            lambda m: m.fidelity.kl if m.fidelity else None,
            numbers.significant,
        ),
    ]


def _cost(
    title: str, word: str, models: Models, get: Callable[[ModelRecord], float | None], show: Show, *, smaller: str = ""
) -> Line:
    """A cost, told of the seed that ships and compared with the teacher's."""
    found = {role: get(shipped(group)) for role, group in models.items()}
    teacher = found.get("teacher")

    def cell(role: Role, value: float | None) -> Cell:
        if value is None:
            return Cell(numbers.ABSENT)
        comparable = bool(smaller and teacher and value and role != "teacher")
        return Cell(show(value), ratio(teacher or 0, value, smaller) if comparable else "")

    return Line(title, word, [cell(role, value) for role, value in found.items()])


def _latency_lines(models: Models) -> list[Line]:
    def key(latency: Latency) -> tuple[str, int, int]:
        return latency.runtime, latency.threads, latency.batch

    keys = dict.fromkeys(key(latency) for group in models.values() for latency in shipped(group).latency_ms)

    def p50(model: ModelRecord, wanted: tuple[str, int, int]) -> float | None:
        return next((latency.p50 for latency in model.latency_ms if key(latency) == wanted), None)

    def one(wanted: tuple[str, int, int]) -> Line:
        runtime, threads, batch = wanted
        line = _cost(
            "Latency, median", "latency", models, lambda m: p50(m, wanted), numbers.duration_ms, smaller="faster"
        )
        note = f"{runtime}, {threads} {'thread' if threads == 1 else 'threads'}, batch of {batch}"
        return Line(line.title, line.word, line.cells, note)

    return [one(wanted) for wanted in keys]
