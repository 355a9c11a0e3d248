"""`Prediction`: one answer, and the texts that answers are written as."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from limbeck.core.printed import escaped_json


class Prediction(BaseModel):
    """One answer."""

    model_config = ConfigDict(frozen=True)

    file: str = Field(description="its path; - is standard input")
    row: int | None = Field(description="number of the row within the file; null for pictures")
    label: str | None = Field(description="null where it could not be read")
    probability: float | None = Field(description="of the label, 0..1")
    probabilities: dict[str, float] = Field(
        description="of every class, in the order of the logits; or of the most probable ones, those first"
    )
    note: str | None = Field(description="what had to be done to the example")
    error: str | None = Field(default=None, description="why it could not be read")


class Written(Protocol):
    """A format: what it says for each answer, and at the end."""

    def add(self, answer: Prediction) -> str:
        """The text of one more answer."""
        ...

    def end(self) -> str:
        """What is left to say."""
        ...


class JsonDocument:
    """One list."""

    def __init__(self) -> None:
        self._opened = False

    def add(self, answer: Prediction) -> str:
        """An element."""
        before = ",\n" if self._opened else "[\n"
        self._opened = True
        text = json.dumps(answer.model_dump(), indent=2, ensure_ascii=False, allow_nan=False)
        return before + escaped_json("  " + text.replace("\n", "\n  "))

    def end(self) -> str:
        """The closing bracket."""
        return "\n]\n" if self._opened else "[]\n"


class JsonLines:
    """One object a line."""

    def add(self, answer: Prediction) -> str:
        """A line."""
        return escaped_json(json.dumps(answer.model_dump(), ensure_ascii=False, allow_nan=False)) + "\n"

    def end(self) -> str:
        """Nothing."""
        return ""


class Table:
    """CSV: a column a class; or, where only the most probable ones were asked for, a label and probability of each.

    Args:
        classes: of the student.
        top: how many classes were asked for; `None`: all.
    """

    def __init__(self, classes: Sequence[str], top: int | None) -> None:
        self._classes, self._top = classes, None if top is None else min(top, len(classes))
        self._headed = False

    def add(self, answer: Prediction) -> str:
        """A row; the header before the first."""
        return self._head() + _row(
            [
                answer.file, answer.row, answer.label, answer.probability, *self._cells(answer.probabilities),
                answer.note, answer.error,
            ]
        )  # fmt: skip

    def end(self) -> str:
        """The header, where there was no row."""
        return self._head()

    def _head(self) -> str:
        if self._headed:
            return ""
        self._headed = True
        if self._top is None:
            columns = list(self._classes)
        else:
            columns = [f"{what}_{place}" for place in range(2, self._top + 1) for what in ("label", "probability")]
        return _row(["file", "row", "label", "probability", *columns, "note", "error"])

    def _cells(self, probabilities: Mapping[str, float]) -> list[object]:
        if self._top is None:
            return [probabilities.get(name) for name in self._classes]
        others: list[object] = [cell for pair in list(probabilities.items())[1:] for cell in pair]
        return others + [None] * (2 * (self._top - 1) - len(others))


def _row(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def written(kind: str, classes: Sequence[str], top: int | None) -> Written:
    """The format of that name: `json`, `jsonl` or `csv`."""
    if kind == "csv":
        return Table(classes, top)
    return JsonDocument() if kind == "json" else JsonLines()
