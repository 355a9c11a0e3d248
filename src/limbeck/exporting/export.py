"""From a trained student to files that run elsewhere, each compared with the student and timed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import nn

from limbeck.bundle.config import BundleConfig
from limbeck.bundle.metadata import to_metadata
from limbeck.data.preprocess import PreprocessSpec
from limbeck.errors import DataError
from limbeck.exporting.formats import EXPORTERS, check_formats
from limbeck.exporting.onnx import to_onnx
from limbeck.exporting.parity import parity, require_parity, scale_of
from limbeck.exporting.program import Program, eager, program
from limbeck.exporting.timing import Runnable, latency_of
from limbeck.record import Export
from limbeck.runtimes.onnx import OnnxModel
from limbeck.task import named


@dataclass(frozen=True, slots=True)
class Exported:
    """What an exporter hands back.

    Attributes:
        path: the file.
        runtime: name of what runs it.
        model: the file, opened.
    """

    path: Path
    runtime: str
    model: Runnable


Exporter = Callable[[Program, BundleConfig, Path, int], Exported]
"""`(program, config, folder, threads)`: writes one file into `folder` and opens it."""


def export_onnx(student: Program, config: BundleConfig, folder: Path, threads: int) -> Exported:
    """`model.onnx`: float32, 1 to 4096 rows a call."""
    path = folder / "model.onnx"
    example = torch.zeros(2, *config.input.shape, dtype=getattr(torch, config.input.dtype))
    to_onnx(student, example, path, metadata=to_metadata(config))
    return Exported(path, "onnxruntime", OnnxModel(path, threads=threads))


def export(
    core: nn.Module,
    config: BundleConfig,
    *,
    formats: Sequence[str],
    folder: Path,
    raw: NDArray[Any],
    target: Int[np.ndarray, " n"] | None = None,
    reference: Float[np.ndarray, "n outputs"] | None = None,
    threads: int = 1,
    timed: bool = True,
) -> list[Export]:
    """Exports `core` to each format, and refuses a file that does not give the student's answers.

    Args:
        core: the trained student without its preprocessing; left as it is, on any device.
        config: what it is.
        formats: keys of `EXPORTERS`.
        folder: where the files go.
        raw: `n` validation examples, `n` >= 1; never the test split.
        target: their class indices, -1 where unknown.
        reference: logits that every export must give on `raw`; `None`: those of `core`, run by torch.
        threads: of the runtime, for the latency.
        timed: whether latency (batch 1) is measured.

    Returns:
        One record a format; paths are relative to `folder`.

    Raises:
        InputError: a format that does not exist, or no example.
        ModelError: the student does not return one tensor of logits.
        ExportError: an export failed, or is not the student; its file is kept.
        StorageError: the disk is full or the folder cannot be written.
    """
    check_formats(formats)
    if not len(raw):
        raise DataError("export: no validation example was given, but at least one is needed to prove an export")
    student = program(core, PreprocessSpec.from_dict(dict(config.preprocess)))
    if reference is None:
        reference = eager(student, raw)
    task = named(config.task)
    records = []
    for name in formats:
        done = _exporter(name)(student, config, folder, threads)
        found = parity(reference, done.model, raw, target, task)
        require_parity(found, where=str(done.path), scale=scale_of(reference))
        times = [latency_of(done.model, raw[:1], runtime=done.runtime, threads=threads)] if timed else []
        path = done.path.relative_to(folder).as_posix()
        size = done.path.stat().st_size
        records.append(Export(format=name, path=path, size_bytes=size, parity=found, latency_ms=times))
    return records


def _exporter(name: str) -> Exporter:
    module, function = EXPORTERS[name].split(":")
    exporter: Exporter = getattr(import_module(module), function)
    return exporter
