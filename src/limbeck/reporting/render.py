"""`render` and `write`: the report of a finished run."""

from collections.abc import Callable
from datetime import datetime
from math import log2
from pathlib import Path
from typing import Any, TypeVar

from limbeck import record as records
from limbeck.core.storage import write_text
from limbeck.record import Record
from limbeck.reporting import charts, compare, confusion, examples, glossary, numbers, roles, small_print, tables
from limbeck.reporting.inputs import AbsentError, RunFiles
from limbeck.reporting.page import page
from limbeck.reporting.tiles import tiles
from limbeck.reporting.verdict import TONES, drawing

FILE_NAME = "report.html"

_T = TypeVar("_T")


def render(folder: Path) -> str:
    """The report of the run in `folder`, as one HTML page that needs no network.

    Sections whose measurements or files are missing say so in one line instead.

    Raises:
        BundleError: `folder` holds no readable record.
    """
    record = records.read(folder)
    files = RunFiles(folder, record)
    shown = _or_reason(lambda: examples.shown(files))
    drawn = {
        "size": _or_reason(lambda: tables.sizes(record)),
        "curves": _or_reason(lambda: tables.curves(files)),
        "reliability": _or_reason(lambda: tables.reliability(record)),
    }
    charts_data = _charts(record, drawn)
    values = {
        "record": record,
        "when": when(record.created),
        "tone": TONES[record.verdict.outcome] if record.verdict else "none",
        "drawing": _or_reason(lambda: drawing(record)),
        "tiles": tiles(record),
        "comparison": compare.comparison(record),
        "drawn": drawn,
        "shown": shown,
        "first": _first(record, shown),
        "confusions": _or_reason(lambda: confusion.confusions(files)),
        "small": small_print.small_print(record),
        "words": glossary.WORDS,
        "labels": roles.LABELS,
        "present": list(roles.by_role(record)),
        "temperature": _temperature(record),
        "marks": [(round(100 * (log2(t) + 1) / (52 / 12 + 1), 2), f"{t:g}") for t in (0.5, 1, 2, 4, 8, 20)],
        "shipped": [roles.shipped(models) for models in roles.by_role(record).values()],
        "number": numbers,
    }
    data = {"charts": charts_data, "soft": _soft(record, shown)}
    return page("report.html", values, data=data, library=charts.library() if charts_data["specs"] else "")


def write(folder: Path) -> Path:
    """Renders the report into the run's folder, whole or not at all.

    Raises:
        BundleError: `folder` holds no readable record.
        StorageError: the disk is full or the folder cannot be written.
    """
    path = folder / FILE_NAME
    write_text(path, render(folder))
    return path


def _or_reason(build: Callable[[], _T]) -> _T | str:
    try:
        return build()
    except AbsentError as reason:
        return str(reason)


def _charts(record: Record, drawn: dict[str, Any]) -> dict[str, Any]:
    """Each specification once, each table once, under the names that the template's figures use."""
    specs: dict[str, Any] = {}
    found: dict[str, Any] = {}
    if not isinstance(drawn["size"], str):
        specs["size"] = charts.accuracy_against_size(record.metric, drawn["size"])
        found["size"] = drawn["size"]
    if not isinstance(drawn["curves"], str):
        specs["metric"] = charts.training_curve(record.metric)
        specs["loss"] = charts.training_curve(None)
        if any(map(tables.is_share, drawn["curves"])):
            specs["share"] = charts.training_curve(None, share=True)
        found |= drawn["curves"]
    if not isinstance(drawn["reliability"], str):
        rows = drawn["reliability"]
        specs["reliability"] = charts.reliability(min(min(row["confidence"], row["accuracy"]) for row in rows))
        found["reliability"] = rows
    return {"specs": specs, "tables": found}


def _soft(record: Record, shown: examples.Shown | str) -> dict[str, Any] | None:
    if isinstance(shown, str) or not shown.soft:
        return None
    pairs = zip(shown.soft, shown.logits, strict=True)
    listed = [
        {
            "picture": example.picture,
            "row": example.row,
            "truth": record.classes.index(example.truth) if example.truth is not None else None,
            "why": example.why,
            "teacher": teacher,
            "student": student,
        }
        for example, (teacher, student) in pairs
    ]
    return {"classes": record.classes, "examples": listed}


def _first(record: Record, shown: examples.Shown | str) -> list[tuple[str, float, float]]:
    """Bars of the first example at temperature 1, for readers without scripts."""
    if isinstance(shown, str) or not shown.soft:
        return []
    return examples.bars(record.classes, *shown.logits[0])


def _temperature(record: Record) -> float | None:
    """The temperature that the student was taught at, where its settings name one."""
    students = roles.by_role(record).get("student")
    value = roles.shipped(students).settings.get("temperature") if students else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def when(created: str) -> str:
    """Day and minute, in words; as it came where it cannot be read."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return created
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
