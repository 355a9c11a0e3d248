"""The files a record names, read with suspicion: inside the run's folder, unchanged since, and of the right shape."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from limbeck.core.identity import file_fingerprint
from limbeck.core.storage import read_json
from limbeck.record import FileRef, ModelRecord, Record

_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile)


class AbsentError(Exception):
    """What a section needs is not there. The message is the line that stands in the section's place."""


@dataclass(frozen=True)
class Curve:
    """One number of one run over its training.

    Attributes:
        name: as in the history, "val/accuracy".
        steps: optimiser steps, ascending.
        values: finite, one a step.
    """

    name: str
    steps: list[int]
    values: list[float]


@dataclass(frozen=True)
class RunFiles:
    """A record and what lies beside it.

    Attributes:
        folder: the run's folder.
        record: what was read from it.
    """

    folder: Path
    record: Record

    @cached_property
    def target(self) -> Int[np.ndarray, " n"]:
        """Labels of the test split, -1 where unknown."""
        target = self._arrays(self._named("test"), "the test labels", "target")["target"]
        if target.ndim != 1 or target.size == 0 or target.min() < -1 or target.max() >= len(self.record.classes):
            raise AbsentError("the test labels do not fit the run's classes")
        return target.astype(np.int64)

    @cached_property
    def samples(self) -> tuple[UInt8[np.ndarray, "k c h w"], Int[np.ndarray, " k"]]:
        """Pictures of some test examples, and their rows in the test split."""
        arrays = self._arrays(self._named("samples"), "the sample pictures", "inputs", "index")
        inputs, index = arrays["inputs"], arrays["index"]
        if inputs.ndim != 4 or inputs.dtype != np.uint8 or len(inputs) != len(index) or not len(index):
            raise AbsentError("the samples are not pictures (k, channels, height, width) of uint8")
        if index.min() < 0 or index.max() >= len(self.target):
            raise AbsentError("the sample pictures name rows that the test split does not have")
        return inputs, index.astype(np.int64)

    def logits(self, model: ModelRecord) -> Float[np.ndarray, "n classes"]:
        """A model's outputs on the test split."""
        if model.predictions is None:
            raise AbsentError(f"no predictions of the {model.role} were kept")
        logits = self._arrays(model.predictions, f"the {model.role}'s predictions", "logits")["logits"]
        expected = (len(self.target), len(self.record.classes))
        if logits.shape != expected or not np.isfinite(logits).all():
            raise AbsentError(f"the {model.role}'s predictions are not {expected[0]} x {expected[1]} finite numbers")
        return logits.astype(np.float64)

    def curves(self, model: ModelRecord) -> list[Curve]:
        """Everything that a model's training wrote down, by name; numbers that are not finite are skipped."""
        if model.history is None:
            raise AbsentError(f"no training history of the {model.role} was kept")
        path = self._path(model.history, f"the {model.role}'s training history")
        points: dict[str, list[tuple[int, float]]] = {}
        try:
            for row in read_json(path):
                for name, value in row["values"].items():
                    if value is not None and np.isfinite(value):
                        points.setdefault(str(name), []).append((int(row["step"]), float(value)))
        except _UNREADABLE as error:
            raise AbsentError(f"the {model.role}'s training history: {path.name} cannot be read: {error}") from error
        return [Curve(name, *map(list, zip(*sorted(pairs), strict=True))) for name, pairs in points.items()]

    def _named(self, name: str) -> FileRef:
        if name not in self.record.files:
            raise AbsentError(f"the record names no {name} file")
        return self.record.files[name]

    def _path(self, ref: FileRef, what: str) -> Path:
        path = (self.folder / ref.path).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise AbsentError(f"{what}: {ref.path} lies outside the run's folder")
        if not path.is_file():
            raise AbsentError(f"{what}: {ref.path} is not in the run's folder")
        if file_fingerprint(path) != ref.sha256:
            raise AbsentError(f"{what}: {ref.path} was changed since the run (another sha256 than the record's)")
        return path

    def _arrays(self, ref: FileRef, what: str, *names: str) -> Mapping[str, np.ndarray[Any, Any]]:
        path = self._path(ref, what)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return {name: stored[name] for name in names}
        except _UNREADABLE as error:
            raise AbsentError(f"{what}: {ref.path} cannot be read: {error}") from error
