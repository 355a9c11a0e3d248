"""Logits of whole splits, and the files that hold them beside the record."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from limbeck.core.batch import Batch
from limbeck.core.identity import file_fingerprint
from limbeck.core.storage import write_atomically, write_json
from limbeck.record import FileRef
from limbeck.teachers.live import LiveTeacher


def teacher_logits(teacher: LiveTeacher, batches: Iterable[Batch]) -> Float[np.ndarray, "n classes"]:
    """What the teacher says about every example, in order, mapped onto the data's classes."""
    rows = []
    for batch in batches:
        logits = teacher.signals(batch.to(teacher.device)).logits
        assert logits is not None, "a live teacher always gives logits"
        rows.append(logits.numpy(force=True))
    return np.concatenate(rows)


def save_arrays(folder: Path, name: str, **arrays: NDArray[Any]) -> FileRef:
    """Writes `<name>.npz`, compressed, and names it with its checksum."""
    path = folder / f"{name}.npz"

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    write_atomically(path, write)
    return reference(folder, path)


def save_history(folder: Path, name: str, history: list[dict[str, Any]]) -> FileRef:
    """Writes `<name>.json`, and names it with its checksum."""
    path = folder / f"{name}.json"
    write_json(path, history)
    return reference(folder, path)


def reference(folder: Path, path: Path) -> FileRef:
    """How the record names a file of its folder."""
    return FileRef(path=path.relative_to(folder).as_posix(), sha256=file_fingerprint(path))
