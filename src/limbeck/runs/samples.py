"""A few test examples beside the record, so that the report can show what teacher and student see."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from limbeck.data.source import Source
from limbeck.record import FileRef, ModelRecord
from limbeck.runs.predictions import save_arrays

SHOWN = 60


def samples(folder: Path, test: Source, models: list[ModelRecord]) -> dict[str, FileRef]:
    """Writes `samples.npz`: instructive test examples, chosen by what teacher and first student said of them.

    Args:
        folder: of the run; predictions are read there.
        test: the test split.
        models: with their predictions.

    Returns:
        The record's entry, or nothing where examples are no pictures.
    """
    if test.spec.kind != "image":
        return {}
    student = _logits(folder, models, "student")
    known = any(model.role == "teacher" for model in models)
    rows = instructive(_logits(folder, models, "teacher") if known else student, student, test.labels)
    return {"samples": save_arrays(folder, "predictions/samples", inputs=test.read(rows), index=rows)}


def instructive(
    teacher: Float[np.ndarray, "n classes"],
    student: Float[np.ndarray, "n classes"],
    target: Int[np.ndarray, " n"],
    most: int = SHOWN,
) -> Int[np.ndarray, " k"]:
    """Rows worth looking at, sorted: disagreements and errors, then where the teacher is torn, then the rest evenly.

    Args:
        teacher: logits `(n, classes)`.
        student: logits `(n, classes)`.
        target: class indices.
        most: how many rows at the most.

    Returns:
        Row numbers.
    """
    said, learnt = teacher.argmax(1), student.argmax(1)
    top = np.sort(teacher, axis=1)
    margin = top[:, -1] - top[:, -2]
    groups = (
        np.flatnonzero(said != learnt),
        np.flatnonzero((learnt != target) | (said != target)),
        np.argsort(margin, kind="stable")[: most // 3],
        np.linspace(0, len(target) - 1, most).astype(np.int64),
    )
    chosen: dict[int, None] = {}
    for group, share in zip(groups, (most // 3, most // 6, most // 4, most), strict=True):
        fresh = [int(row) for row in group if int(row) not in chosen][:share]
        chosen |= dict.fromkeys(fresh)
    return np.sort(np.fromiter(chosen, dtype=np.int64)[:most])


def _logits(folder: Path, models: list[ModelRecord], role: str) -> Float[np.ndarray, "n classes"]:
    model = next(model for model in models if model.role == role)
    assert model.predictions is not None, "measured models have predictions"
    with np.load(folder / model.predictions.path, allow_pickle=False) as file:
        return np.asarray(file["logits"])
