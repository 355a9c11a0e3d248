"""Running an ONNX file with onnxruntime on the CPU: NumPy in, logits out, no torch."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from limbeck.core.optional import require
from limbeck.errors import BundleError, DataError, InputError

CHUNK = 256
"""Rows a call: larger inputs are cut, so that activations of thousands of rows never lie in memory together."""

_TYPES = {
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(float16)": "float16",
    "tensor(float)": "float32",
    "tensor(double)": "float64",
}


class OnnxModel:
    """One ONNX file with one input, whose first axis is the batch, and one output or one that is named.

    Integer arithmetic is asked to be exact (`session.x64quantprecision`): without it, int8 files saturate on x86
    processors without VNNI and are judged far below their worth.

    Args:
        path: the file.
        threads: intra-op and inter-op threads; >= 1.
        output: name of the output to read, where the file has several.

    Attributes:
        path: the file.
        shape: of one example; without the batch axis.
        dtype: NumPy name of the input's type.
        outputs: width of the output's last axis; `None` where the file leaves it open.
        metadata: what the file says about itself.
    """

    def __init__(self, path: Path, *, threads: int = 1, output: str | None = None) -> None:
        if not path.is_file():
            raise BundleError(f"{path} does not exist: give an .onnx file")
        if threads < 1:
            raise InputError(f"threads: {threads} was given, but at least 1 is needed")
        self.path = path
        self._session = _session(path, threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        names = [each.name for each in outputs]
        if output is not None:
            outputs = [each for each in outputs if each.name == output]
        if len(inputs) != 1 or len(outputs) != 1:
            several = f"; name one of its outputs: {', '.join(names)}" if len(names) > 1 or output is not None else ""
            raise BundleError(
                f"{path} has {len(inputs)} inputs and {len(names)} outputs; expected one of each{several}"
            )
        self._input, self._output = inputs[0].name, outputs[0].name
        self._batch, *shape = inputs[0].shape or [None]
        if inputs[0].type not in _TYPES or not all(isinstance(size, int) for size in shape):
            raise BundleError(
                f"{path} takes {inputs[0].type} of shape {inputs[0].shape}; expected numbers whose sizes, except the "
                "batch, are fixed: export it again with fixed sizes"
            )
        self.shape: tuple[int, ...] = tuple(shape)
        self.dtype = _TYPES[inputs[0].type]
        last = (outputs[0].shape or [None])[-1]
        self.outputs = last if isinstance(last, int) else None
        self.metadata: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def __call__(self, raw: NDArray[Any]) -> Float[np.ndarray, "n *outputs"]:
        """Logits of each row, in chunks of at most `CHUNK` rows (or of the batch that the file was fixed to).

        Args:
            raw: `(n, *shape)` of type `dtype`; `n` may be 0.

        Returns:
            The file's output, row for row.

        Raises:
            DataError: `raw` has another shape or type than the file takes.
            BundleError: the file fails while it runs.
        """
        self._check(raw)
        size = self._batch if isinstance(self._batch, int) else CHUNK
        starts = range(0, max(len(raw), 1), size)
        outputs = [self._run(_filled(raw[start : start + size], self._batch)) for start in starts]
        return np.concatenate(outputs)[: len(raw)]

    def bound(self, raw: NDArray[Any]) -> Callable[[], object]:
        """One call on all of `raw` at once with nothing around it: what a stop-watch should see.

        Args:
            raw: as in a call.

        Returns:
            A function that runs the file once.

        Raises:
            DataError: as in a call, or the file is fixed to another batch size.
        """
        self._check(raw)
        if isinstance(self._batch, int) and self._batch != len(raw):
            raise DataError(f"batch: {len(raw)} was asked for, but {self.path} is fixed to a batch of {self._batch}")
        session, names, feed = self._session, [self._output], {self._input: raw}
        return lambda: session.run(names, feed)

    def _check(self, raw: NDArray[Any]) -> None:
        if raw.ndim == 0 or raw.shape[1:] != self.shape or raw.dtype != self.dtype:
            expected = " x ".join(("n", *map(str, self.shape)))
            came = " x ".join(map(str, raw.shape)) or "scalar"
            raise DataError(
                f"{self.path.name} takes {self.dtype}, {expected}; got {raw.dtype}, {came}: convert the input"
            )

    def _run(self, raw: NDArray[Any]) -> NDArray[Any]:
        try:
            output: NDArray[Any] = self._session.run([self._output], {self._input: raw})[0]
        except Exception as error:  # onnxruntime's errors share no base class
            raise BundleError(f"{self.path} fails on {len(raw)} examples: {error}") from error
        return output


def _filled(raw: NDArray[Any], batch: object) -> NDArray[Any]:
    """Rows of zeros up to the batch the file was fixed to; at least one row, so that the output's shape is known."""
    missing = (batch if isinstance(batch, int) else 1) - len(raw)
    if missing <= 0:
        return raw
    return np.concatenate([raw, np.zeros((missing, *raw.shape[1:]), raw.dtype)])


def _session(path: Path, threads: int) -> Any:  # noqa: ANN401 - onnxruntime is untyped
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # since 1.29 it reports models and machines unless told not to
    ort = require("onnxruntime", extra=None, purpose="running ONNX files")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3  # errors only: warnings of the optimiser tell a user nothing
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class
        raise BundleError(
            f"{path} is not a whole ONNX file, or needs an operator that onnxruntime lacks: {error}"
        ) from error
