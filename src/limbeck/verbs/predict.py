"""`predict`: asks a finished student. Works without torch."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limbeck.bundle.asked import Example
from limbeck.bundle.examples import Chunk, read_examples
from limbeck.bundle.locate import open_student
from limbeck.bundle.metadata import About
from limbeck.bundle.stream import kind_of
from limbeck.core.progress import Reporter, Silent
from limbeck.core.storage import replacing
from limbeck.errors import BundleError, DataError, InputError
from limbeck.runtimes.onnx import OnnxModel
from limbeck.task import Array, Task, named
from limbeck.verbs.answer import Prediction, written

__all__ = ["Prediction", "predict", "stream"]

_FILES = {".json": "json", ".csv": "csv", ".jsonl": "jsonl"}


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers that are being made.

    Attributes:
        classes: of the student, in the order of the logits.
        found: the answers.
    """

    classes: tuple[str, ...]
    found: Generator[Prediction]

    def __iter__(self) -> Iterator[Prediction]:
        return self.found

    def close(self) -> None:
        """Gives up what is open."""
        self.found.close()


def predict(
    *,
    bundle: str | Path,
    inputs: Sequence[str | Path],
    out: str | Path | None = None,
    top: int | None = None,
    strict: bool = True,
    stdin: str = "auto",
    batch: int | None = None,
    threads: int = 1,
    progress: Reporter | None = None,
) -> list[Prediction]:
    """Asks a finished student about pictures or rows.

    Args:
        bundle: a student's folder, a run's folder, or a lone `.onnx` file that Limbeck wrote.
        inputs: pictures, NumPy files (`.npy`, `.npz`), tables (`.csv`, `.tsv`, `.json`, `.jsonl`), folders of them,
            patterns such as `photos/**/*.png`, and `-` for standard input.
        out: a `.json`, `.jsonl` or `.csv` file to write the answers to as well.
        top: only so many of the most probable classes, those first; >= 1.
        strict: the first example that cannot be read ends it; otherwise its answer has an `error` and no label.
        stdin: what standard input holds: `paths`, `image`, `numpy`, `csv`, `jsonl`; `auto` tells by its first bytes.
        batch: examples that are asked about together; left out, 1, 2, 4 and so on up to 256.
        threads: of the runtime, and of decoding pictures; >= 1.
        progress: shows progress; silent by default.

    Returns:
        One answer an example, in the order of `inputs`. `limbeck.verbs.predict.stream` gives them one by one.

    Raises:
        BundleError: it is not a finished student, or was changed.
        DataError: an input cannot be read as what the student takes (and `strict`).
        InputError: `out` has another suffix, or a number is below 1.
        StorageError: `out` cannot be written.
    """
    return list(
        stream(
            bundle=bundle, inputs=inputs, out=out, top=top, strict=strict, stdin=stdin, batch=batch, threads=threads,
            progress=progress,
        )
    )  # fmt: skip


def stream(
    *,
    bundle: str | Path,
    inputs: Sequence[str | Path],
    out: str | Path | None = None,
    top: int | None = None,
    strict: bool = True,
    stdin: str = "auto",
    batch: int | None = None,
    threads: int = 1,
    progress: Reporter | None = None,
) -> Answers:
    """As `predict`, one answer after the other while the inputs are being read; memory holds one chunk.

    `out` is in place once every answer was taken; before, and after an error, it is as it was.

    Returns:
        The answers, to be gone through once, and closed where that ends early (`contextlib.closing`).
    """
    target = _target(out)
    for name, number in (("top", top), ("batch", batch), ("threads", threads)):
        if number is not None and number < 1:
            raise InputError(f"{name}: {number} was given, but at least 1 is needed")
    kind = kind_of(stdin)
    student = open_student(Path(bundle), threads=threads)
    if student.about is None:
        raise BundleError(
            f"{bundle} says nothing of its classes, since Limbeck did not write it: give a student's folder"
        )
    about = student.about
    reading = read_examples([Path(path) for path in inputs], about.input, stdin=kind, batch=batch, threads=threads)
    found = _answers(reading, student.model, about, top, strict=strict)
    if target is not None:
        found = _saved(found, target, about.classes, top)
    return Answers(about.classes, _watched(found, progress or Silent()))


def _watched(answers: Iterable[Prediction], progress: Reporter) -> Generator[Prediction]:
    with progress.task("predict", None) as task:
        for answer in answers:
            yield answer
            task.advance(values={})


def _answers(
    chunks: Iterable[Chunk], model: OnnxModel, about: About, top: int | None, *, strict: bool
) -> Generator[Prediction]:
    task = named(about.task)
    for examples, raw in chunks:
        rows = iter(_asked(model, raw, task, about.classes, top))
        for example in examples:
            answer = _answer(example, next(rows) if example.error is None else None)
            if strict and answer.error is not None:
                raise DataError(answer.error)
            yield answer


@dataclass(frozen=True, slots=True)
class _Said:
    """What a student says of one row; no probabilities where a number is NaN or infinite."""

    label: str
    probabilities: dict[str, float]


def _asked(model: OnnxModel, raw: Array, task: Task, classes: Sequence[str], top: int | None) -> list[_Said]:
    if not len(raw):
        return []
    logits = model(raw)
    with np.errstate(invalid="ignore"):
        shown = task.postprocess(logits)
    found: list[_Said] = []
    for finite, label, row in zip(np.isfinite(logits).all(1), shown["label"], shown["probabilities"], strict=True):
        places = range(len(classes)) if top is None else _most_probable(row, int(label), top)
        found.append(_Said(classes[label], {classes[at]: float(row[at]) for at in places} if finite else {}))
    return found


def _most_probable(row: Array, label: int, top: int) -> list[int]:
    """The label first, even where rounding makes another as probable."""
    order = np.argsort(-row, kind="stable")
    return [label, *order[order != label].tolist()][:top]


def _answer(example: Example, said: _Said | None) -> Prediction:
    error = example.error
    if said is not None and not said.probabilities:
        said, error = None, f"{example.file}: the student answers NaN or infinity"
    return Prediction(
        file=str(example.file),
        row=example.row,
        label=None if said is None else said.label,
        probability=None if said is None else said.probabilities[said.label],
        probabilities={} if said is None else said.probabilities,
        note=example.note,
        error=error,
    )


def _target(out: str | Path | None) -> Path | None:
    if out is None:
        return None
    path = Path(out)
    if path.suffix.lower() not in _FILES:
        raise InputError(f"out: {path} ends in {path.suffix or 'nothing'!r}; use {' or '.join(_FILES)}")
    return path


def _saved(answers: Iterable[Prediction], path: Path, classes: Sequence[str], top: int | None) -> Generator[Prediction]:
    """Writes the answers as they pass."""
    text = written(_FILES[path.suffix.lower()], classes, top)
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        for answer in answers:
            file.write(text.add(answer))
            yield answer
        file.write(text.end())
