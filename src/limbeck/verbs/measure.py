"""`measure`: size and speed of a finished student on this machine. Works without torch."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from limbeck.bundle.config import Quality
from limbeck.bundle.locate import Opened, open_student
from limbeck.core.machine import machine
from limbeck.core.optional import require
from limbeck.errors import InputError, MissingDependencyError
from limbeck.record import Latency, Machine
from limbeck.runtimes.noise import noise


class Measurement(BaseModel):
    """What a finished student costs here, and what it was worth when it was made."""

    model_config = ConfigDict(frozen=True)

    file: str
    name: str | None = Field(description="of the student; null where the file does not say")
    input: str = Field(description="e.g. 'uint8, 1 x 8 x 8'")
    size_bytes: int = Field(description="of the ONNX file, preprocessing included")
    params: int | None = Field(
        description="trained parameters; of a file from elsewhere the numbers stored in it; null without onnx"
    )
    latency_ms: Latency
    machine: Machine
    quality: Quality | None = Field(description="as written in the student's folder; not measured here")


def measure(
    *,
    file: str | Path,
    threads: int = 1,
    batch: int = 1,
    warmup: int = 20,
    repeats: int = 200,
    min_seconds: float = 0.5,
) -> Measurement:
    """Measures a finished student with onnxruntime on made-up input.

    Args:
        file: a student's folder, a run's folder, or any `.onnx` file with one input and one output.
        threads: of the runtime; >= 1.
        batch: examples a call; >= 1.
        warmup: calls that are not counted.
        repeats: calls that are counted, at least.
        min_seconds: how long calls are counted, at least.

    Returns:
        Size, parameters, latency, the machine, and the quality where the folder tells it.

    Raises:
        BundleError: it is not a finished student, was changed, or cannot be run.
        DataError: the file is fixed to another batch size.
        InputError: a number is below 1.
    """
    if batch < 1 or repeats < 1:
        raise InputError(f"batch {batch} and repeats {repeats} must be at least 1")
    from limbeck.measuring.latency import latency

    student = open_student(Path(file), threads=threads)
    model = student.model
    call = model.bound(noise(model.shape, model.dtype, batch))
    times = latency(
        call,
        runtime="onnxruntime",
        threads=threads,
        batch=batch,
        warmup=warmup,
        repeats=repeats,
        min_seconds=min_seconds,
    )
    return Measurement(
        file=str(model.path),
        name=student.about.name if student.about else None,
        input=f"{model.dtype}, {' x '.join(map(str, model.shape))}",
        size_bytes=model.path.stat().st_size,
        params=_params(student),
        latency_ms=times,
        machine=Machine.model_validate(machine()),
        quality=student.bundle.config.quality if student.bundle else None,
    )


def _params(student: Opened) -> int | None:
    if student.about is not None:
        return student.about.params
    try:
        onnx = require("onnx", extra=None, purpose="counting parameters")
    except MissingDependencyError:
        return None
    model = onnx.load(str(student.model.path))
    integers = {onnx.TensorProto.INT64, onnx.TensorProto.BOOL}  # shapes and axes, not weights
    stored = [each for each in model.graph.initializer if each.data_type not in integers]
    return int(sum(np.prod(each.dims, dtype=np.int64) for each in stored))
