"""ONNX files as teachers: programs that are asked, and never looked into."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.core.identity import file_fingerprint, fingerprint
from limbeck.core.optional import require
from limbeck.runtimes.onnx import OnnxModel


class OnnxTeacher(nn.Module):
    """An ONNX file as a module without parameters; no gradient flows through it.

    A process opens the file when it first asks, with as many threads as torch has then.

    Args:
        path: one input of fixed size whose first axis is the batch; several outputs where `output` names one.
        output: name of the output; `None`: there is one.

    Attributes:
        source: fingerprint of the file, and of those that hold its weights.
        inputs: shape of one example.
        dtype: NumPy name of the input's type.
        params: numbers among its constants.
        size_bytes: of all its files.
    """

    def __init__(self, path: Path, output: str | None = None) -> None:
        super().__init__()
        self._path, self.output = path, output
        files, self.params = _facts(path)
        self.source = fingerprint([file_fingerprint(file) for file in files])
        self.size_bytes = sum(file.stat().st_size for file in files)
        self._model: OnnxModel | None = None
        self._threads = 0
        self.inputs, self.dtype = self.model().shape, self.model().dtype

    def forward(self, x: Tensor) -> Tensor:
        """What the file gives for each row, on the device of `x`."""
        rows = x.detach().cpu()
        if not np.issubdtype(self.dtype, np.floating):
            bounds = np.iinfo(self.dtype)
            rows = rows.round().clamp(int(bounds.min), int(bounds.max))
        given = np.ascontiguousarray(rows.numpy().astype(self.dtype))
        return torch.from_numpy(self.model()(given)).float().to(x.device)

    def model(self) -> OnnxModel:
        """The file, opened."""
        threads = torch.get_num_threads()
        if self._model is None or self._threads != threads:
            self._model, self._threads = OnnxModel(self._path, threads=threads, output=self.output), threads
        return self._model

    def __getstate__(self) -> dict[str, Any]:
        """Without the open file, which is no value: for copies, and for other processes."""
        return {**self.__dict__, "_model": None}


def hidden(module: nn.Module) -> tuple[int, int]:
    """Numbers and bytes of the programs inside a module, which torch cannot count; zeros where there are none."""
    inside = [part for part in module.modules() if isinstance(part, OnnxTeacher)]
    return sum(part.params for part in inside), sum(part.size_bytes for part in inside)


def _facts(path: Path) -> tuple[list[Path], int]:
    """The file with those beside it that hold its weights, and how many numbers these are."""
    if not path.is_file():
        return [], 0  # opening it will say so
    onnx = require("onnx", extra=None, purpose="ONNX teachers")
    try:
        constants = onnx.load(path, load_external_data=False).graph.initializer
    except Exception:  # noqa: BLE001 - opening it will say why
        return [path], 0
    kinds = onnx.TensorProto
    numbers = (kinds.FLOAT, kinds.FLOAT16, kinds.BFLOAT16, kinds.INT8, kinds.UINT8)
    outside = {entry.value for each in constants for entry in each.external_data if entry.key == "location"}
    files = [path, *(path.parent / name for name in sorted(outside) if (path.parent / name).is_file())]
    return files, sum(math.prod(each.dims) for each in constants if each.data_type in numbers)
