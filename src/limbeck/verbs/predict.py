"""`predict`: asks a finished student. Works without torch."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from limbeck.bundle.examples import Example, read_examples
from limbeck.bundle.locate import open_student
from limbeck.bundle.metadata import About
from limbeck.core.storage import write_atomically, write_json
from limbeck.errors import BundleError, InputError
from limbeck.runtimes.onnx import OnnxModel
from limbeck.task import named


class Prediction(BaseModel):
    """One answer."""

    model_config = ConfigDict(frozen=True)

    file: str
    row: int | None = Field(description="number of the row within the file; null for pictures")
    label: str
    probability: float = Field(description="of the label, 0..1")
    probabilities: dict[str, float] = Field(description="of every class, in the order of the logits")
    note: str | None = Field(description="what had to be done to the example")


def predict(
    *, bundle: str | Path, inputs: Sequence[str | Path], out: str | Path | None = None, threads: int = 1
) -> list[Prediction]:
    """Asks a finished student about pictures or rows.

    Args:
        bundle: a student's folder, a run's folder, or a lone `.onnx` file that Limbeck wrote.
        inputs: picture files, folders of them, `.npy` or `.npz` files.
        out: a `.json` or `.csv` file to write the answers to as well.
        threads: of the runtime; >= 1.

    Returns:
        One answer an example, in the order of `inputs`.

    Raises:
        BundleError: it is not a finished student, or was changed.
        DataError: an input cannot be read as what the student takes.
        InputError: `out` is neither `.json` nor `.csv`.
        StorageError: `out` cannot be written.
    """
    target = _target(out)
    student = open_student(Path(bundle), threads=threads)
    if student.about is None:
        raise BundleError(
            f"{bundle} says nothing of its classes, since Limbeck did not write it: give a student's folder"
        )
    answers = list(_answers(student.model, student.about, [Path(path) for path in inputs]))
    if target is not None:
        _WRITERS[target.suffix.lower()](target, answers)
    return answers


def _answers(model: OnnxModel, about: About, inputs: Sequence[Path]) -> Iterator[Prediction]:
    task = named(about.task)
    for examples, raw in read_examples(inputs, about.input):
        shown = task.postprocess(model(raw))
        for example, label, row in zip(examples, shown["label"], shown["probabilities"], strict=True):
            yield _answer(example, about.classes[label], dict(zip(about.classes, row.tolist(), strict=True)))


def _answer(example: Example, label: str, probabilities: Mapping[str, float]) -> Prediction:
    return Prediction(
        file=str(example.file),
        row=example.row,
        label=label,
        probability=probabilities[label],
        probabilities=dict(probabilities),
        note=example.note,
    )


def _target(out: str | Path | None) -> Path | None:
    if out is None:
        return None
    path = Path(out)
    if path.suffix.lower() not in _WRITERS:
        raise InputError(f"out: {path} ends in {path.suffix or 'nothing'!r}; use {' or '.join(_WRITERS)}")
    return path


def _write_json(path: Path, answers: Sequence[Prediction]) -> None:
    write_json(path, [answer.model_dump(mode="json") for answer in answers])


def _write_csv(path: Path, answers: Sequence[Prediction]) -> None:
    write_atomically(path, lambda temporary: _fill_csv(temporary, answers))


def _fill_csv(path: Path, answers: Sequence[Prediction]) -> None:
    classes = list(answers[0].probabilities) if answers else []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "row", "label", "probability", *classes, "note"])
        for each in answers:
            writer.writerow(
                [each.file, each.row, each.label, each.probability, *each.probabilities.values(), each.note]
            )  # fmt: skip


_WRITERS = {".json": _write_json, ".csv": _write_csv}
