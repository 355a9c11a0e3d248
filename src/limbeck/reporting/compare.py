"""Teacher, student, baseline and the rest side by side: one row a measure, one column a role."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from limbeck.record import Estimate, Latency, ModelRecord, Record, Role
from limbeck.reporting import numbers
from limbeck.reporting.numbers import ratio
from limbeck.reporting.roles import LABELS, by_role, over_seeds, possible, quality, says, shipped, split_of

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
    groups = {
        "What it knows": [
            *_quality_lines(record),
            _line("Calibration error (ECE)", "ece", record, _ece, numbers.share),
        ],
        "How like its teacher it is": [
            _line("Agreement with the teacher", "agreement", record, _agreement, numbers.share),
            _line("Agreement between its own seeds", "ceiling", record, _ceiling, numbers.share),
            _line("Teacher's errors repeated", "teacher-errors", record, _on_teacher_errors, numbers.share),
            _line("KL from the teacher (nats)", "kl", record, _kl, numbers.significant),
        ],
        "What it costs": [
            _cost("Parameters", "parameters", record, lambda m: m.params, numbers.count, smaller="fewer"),
            _cost("Multiply-accumulates", "macs", record, lambda m: m.macs, numbers.count, smaller="fewer"),
            _cost("Size as stored", "size", record, lambda m: m.size_bytes, numbers.size, smaller="smaller"),
            _cost("Peak memory", "memory", record, lambda m: m.peak_memory_bytes, numbers.size, smaller="smaller"),
            *_latency_lines(record),
        ],
        "What it took": [
            _cost("Training time", "training-time", record, lambda m: m.train_s, numbers.duration_s),
            _cost("Optimiser steps", "steps", record, lambda m: m.steps, lambda n: f"{n:,.0f}"),
        ],
    }
    told = {title: [line for line in lines if _told(line)] for title, lines in groups.items()}
    return Comparison(_columns(record), [(title, lines) for title, lines in told.items() if lines], split_of(record))


def _ece(model: ModelRecord) -> Estimate | None:
    return model.calibration.ece if model.calibration else None


def _agreement(model: ModelRecord) -> Estimate | None:
    return model.fidelity.agreement if model.fidelity else None


def _kl(model: ModelRecord) -> Estimate | None:
    return model.fidelity.kl if model.fidelity else None


def _ceiling(model: ModelRecord) -> Estimate | None:
    return _bare(model.fidelity.agreement_ceiling if model.fidelity else None)


def _on_teacher_errors(model: ModelRecord) -> Estimate | None:
    return _bare(model.fidelity.agreement_on_teacher_errors if model.fidelity else None)


def _bare(value: float | None) -> Estimate | None:
    return None if value is None else Estimate(value=value)


def _told(line: Line) -> bool:
    return any(cell.value != numbers.ABSENT for cell in line.cells)


def _columns(record: Record) -> list[Column]:
    def seeds(found: Sequence[ModelRecord]) -> str:
        seeded = all(model.seed is not None for model in found)
        return f"{len(found)} {'seeds' if seeded else 'models'}" if len(found) > 1 else ""

    roles = by_role(record).items()
    return [Column(role, LABELS[role], says(role, record), shipped(found).name, seeds(found)) for role, found in roles]


def _line(title: str, word: str, record: Record, get: Callable[[ModelRecord], Estimate | None], show: Show) -> Line:
    """A measure that has an interval and differs between seeds; `word` is its name."""
    found = [[get(model) for model in models] for models in by_role(record).values()]
    values = [estimate.value for estimates in found for estimate in estimates if estimate is not None]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)

    def dots(estimates: Sequence[Estimate | None]) -> list[float]:
        return [round(100 * (e.value - low) / ((high - low) or 1), 1) for e in estimates if e is not None]

    def cell(estimates: Sequence[Estimate | None]) -> Cell:
        mean = over_seeds(estimates, possible(word, record.metric))
        if mean is None:
            return Cell(numbers.ABSENT)
        detail = numbers.span(*mean.ci95, show) if mean.ci95 else ""
        return Cell(show(mean.value), detail, dots(estimates) if high > low else [])

    return Line(title, word, [cell(estimates) for estimates in found])


def _quality_lines(record: Record) -> list[Line]:
    split, metric = split_of(record), record.metric
    names = [name for model in record.models for name in model.quality.get(split, {})]
    ordered = [name for name in dict.fromkeys([metric.name, *names]) if name in names]

    def one(name: str) -> Line:
        show: Show = (lambda v: numbers.score(v, metric)) if name == metric.name else numbers.significant
        title = {"nll": "Negative log-likelihood", "brier": "Brier score"}.get(name, name.capitalize())
        return _line(title, name, record, lambda model: quality([model], split, name)[0], show)

    return [one(name) for name in ordered]


def _cost(
    title: str, word: str, record: Record, get: Callable[[ModelRecord], float | None], show: Show, *, smaller: str = ""
) -> Line:
    """A cost, told of the seed that ships and compared with the teacher's."""
    found = {role: get(shipped(models)) for role, models in by_role(record).items()}
    teacher = found.get("teacher")

    def cell(role: Role, value: float | None) -> Cell:
        if value is None:
            return Cell(numbers.ABSENT)
        comparable = bool(smaller and teacher and value and role != "teacher")
        return Cell(show(value), ratio(teacher or 0, value, smaller) if comparable else "")

    return Line(title, word, [cell(role, value) for role, value in found.items()])


def _latency_lines(record: Record) -> list[Line]:
    def key(latency: Latency) -> tuple[str, int, int]:
        return latency.runtime, latency.threads, latency.batch

    keys = dict.fromkeys(key(latency) for models in by_role(record).values() for latency in shipped(models).latency_ms)

    def p50(model: ModelRecord, wanted: tuple[str, int, int]) -> float | None:
        return next((latency.p50 for latency in model.latency_ms if key(latency) == wanted), None)

    def one(wanted: tuple[str, int, int]) -> Line:
        runtime, threads, batch = wanted
        line = _cost(
            "Latency, median", "latency", record, lambda m: p50(m, wanted), numbers.duration_ms, smaller="faster"
        )
        note = f"{runtime}, {threads} {'thread' if threads == 1 else 'threads'}, batch of {batch}"
        return Line(line.title, line.word, line.cells, note)

    return [one(wanted) for wanted in keys]
