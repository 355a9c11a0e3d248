"""A few large numbers for a reader with ten seconds: what the student saves, and what it keeps."""

from dataclasses import dataclass

from limbeck.record import ModelRecord, Record
from limbeck.reporting import numbers
from limbeck.reporting.roles import by_role, over_seeds, quality, shipped, split_of


@dataclass(frozen=True)
class Tile:
    """A number and what it counts."""

    value: str
    text: str


def tiles(record: Record) -> list[Tile]:
    """The student against the teacher; nothing without one of the two."""
    models = by_role(record)
    if "teacher" not in models or "student" not in models:
        return []
    teacher, student = shipped(models["teacher"]), shipped(models["student"])
    agreement = over_seeds([model.fidelity.agreement if model.fidelity else None for model in models["student"]])
    found = [
        _saved(teacher.size_bytes, student.size_bytes, "smaller", "as stored"),
        _saved(teacher.macs, student.macs, "fewer", "multiply-accumulates"),
        _saved(*_same_latency(teacher, student), "faster", "in a median call"),
        _kept(record),
        Tile(numbers.share(agreement.value), "of its answers are the teacher's") if agreement else None,
    ]
    return [tile for tile in found if tile is not None]


def _saved(teacher: float | None, student: float | None, smaller: str, what: str) -> Tile | None:
    if not teacher or not student:
        return None
    words = numbers.ratio(teacher, student, smaller)
    number, word = (numbers.times(1).replace(".0", ""), "the same") if words == "the same" else words.split(" ", 1)
    return Tile(number, f"{word} {what}")


def _kept(record: Record) -> Tile | None:
    models, split, name = by_role(record), split_of(record), record.metric.name
    teacher, student = (over_seeds(quality(models[role], split, name)) for role in ("teacher", "student"))
    if teacher is None or student is None:
        return None
    change = numbers.difference(student.value - teacher.value, record.metric)
    number, _, unit = change.partition("\N{NO-BREAK SPACE}")
    return Tile(number, f"{unit} of {name} against the teacher".strip())


def _same_latency(teacher: ModelRecord, student: ModelRecord) -> tuple[float | None, float | None]:
    """Both medians under the first conditions that both were measured in; single calls before batches."""
    ours = {(entry.runtime, entry.threads, entry.batch): entry.p50 for entry in student.latency_ms}
    for entry in sorted(teacher.latency_ms, key=lambda entry: entry.batch):
        found = ours.get((entry.runtime, entry.threads, entry.batch))
        if found is not None:
            return entry.p50, found
    return None, None
