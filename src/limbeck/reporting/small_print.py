"""Exports, tuning, data, machine, fingerprints, timing and files: what one needs to doubt or repeat the run."""

from collections.abc import Mapping
from dataclasses import dataclass

from limbeck.record import Export, Latency, Record, Tuning
from limbeck.reporting import numbers
from limbeck.reporting.roles import LABELS


@dataclass(frozen=True)
class ExportRow:
    """One exported file, in words."""

    format: str
    path: str
    size: str
    error: str
    agreement: str
    quality: str
    examples: str
    latency: list[str]


@dataclass(frozen=True)
class TrialRow:
    """One candidate of a tuning stage."""

    settings: list[str]
    value: str
    steps: str
    final: bool
    chosen: bool


@dataclass(frozen=True)
class TuningTable:
    """What validation looked at for one arm; `names` are the settings that differ."""

    label: str
    sentence: str
    names: list[str]
    trials: list[TrialRow]


@dataclass(frozen=True)
class Share:
    """One stage's time and its share of the longest, in percent."""

    name: str
    time: str
    width: float


@dataclass(frozen=True)
class SmallPrint:
    """The whole section; pairs are names and values."""

    exports: list[ExportRow]
    tuning: list[TuningTable]
    data: list[tuple[str, str]]
    machine: list[tuple[str, str]]
    fingerprints: list[tuple[str, str]]
    timing: list[Share]
    total_time: str
    files: list[tuple[str, str, str]]


def small_print(record: Record) -> SmallPrint:
    """Puts the rest of the record into words."""
    longest = max(record.timing_s.values(), default=0) or 1
    return SmallPrint(
        exports=[_export(export, record) for export in record.exports],
        tuning=[_tuning(tuning, record) for tuning in record.tuning],
        data=_data(record),
        machine=[(name, str(value)) for name, value in _machine(record).items() if value is not None],
        fingerprints=list(record.fingerprints.model_dump().items()),
        timing=[
            Share(name.replace("_", " "), numbers.duration_s(value), round(100 * value / longest, 1))
            for name, value in record.timing_s.items()
        ],
        total_time=numbers.duration_s(sum(record.timing_s.values())),
        files=_files(record),
    )


def _export(export: Export, record: Record) -> ExportRow:
    parity = export.parity
    return ExportRow(
        format=export.format,
        path=export.path,
        size=numbers.size(export.size_bytes),
        error=numbers.significant(parity.max_abs_error, 2),
        agreement=numbers.share(parity.agreement),
        quality=numbers.ABSENT if parity.quality is None else numbers.score(parity.quality, record.metric),
        examples=f"{parity.examples:,}",
        latency=[latency_words(latency) for latency in export.latency_ms],
    )


def latency_words(latency: Latency) -> str:
    """One latency with the conditions it was measured under."""
    threads = f"{latency.threads} {'thread' if latency.threads == 1 else 'threads'}"
    times = f"{numbers.duration_ms(latency.p50)} (p90 {numbers.duration_ms(latency.p90)})"
    return f"{times} · {latency.runtime}, {threads}, batch of {latency.batch}, {latency.repeats:,} repeats"


def _tuning(tuning: Tuning, record: Record) -> TuningTable:
    names = list(dict.fromkeys(name for trial in tuning.trials for name in trial.settings))
    # at full length a training may have stopped early, after fewer steps than a short one
    longest = max(((t.final, t.steps) for t in tuning.trials if t.settings == tuning.chosen), default=(False, 0))
    rows = [
        TrialRow(
            settings=[setting(trial.settings.get(name)) for name in names],
            value=numbers.score(trial.value, record.metric),
            steps=f"{trial.steps:,}",
            final=trial.final,
            chosen=trial.settings == tuning.chosen and (trial.final, trial.steps) == longest,
        )
        for trial in tuning.trials
    ]
    return TuningTable(
        LABELS[tuning.role],
        tuning.sentence.removeprefix(f"{tuning.role}: "),
        [name.replace("_", " ") for name in names],
        rows,
    )


def setting(value: object) -> str:
    """One setting's value in words.

    Example:
        >>> setting(True), setting(0.001), setting("cosine")
        ('yes', '0.001', 'cosine')
    """
    if value is None:
        return numbers.ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _data(record: Record) -> list[tuple[str, str]]:
    data = record.data
    return [
        ("data", data.name),
        ("one example", data.input),
        ("classes", f"{len(record.classes):,}"),
        ("training, labelled", f"{data.labelled:,}"),
        ("training, unlabelled", f"{data.unlabelled:,}"),
        ("validation", f"{data.validation:,}"),
        ("test", f"{data.test:,}"),
    ]


def _machine(record: Record) -> Mapping[str, object]:
    machine = record.machine
    return {
        "processor": machine.cpu,
        "cores": machine.cores,
        "GPU": machine.gpu or "none",
        "system": machine.os,
        "Python": machine.python,
        "PyTorch": machine.torch or "not installed",
        "Limbeck": record.limbeck_version,
        "record schema": record.schema_version,
    }


def _files(record: Record) -> list[tuple[str, str, str]]:
    """What it holds, path and sha256 of every file the record names."""
    named = [(name, ref) for name, ref in record.files.items()]
    for model in record.models:
        who = LABELS[model.role] + ("" if model.seed is None else f", seed {model.seed}")
        named += [
            (f"{who}: {what}", ref)
            for what, ref in (("predictions", model.predictions), ("history", model.history))
            if ref is not None
        ]
    return [(what, ref.path, ref.sha256) for what, ref in named]
