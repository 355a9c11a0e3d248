"""The core program: raw examples in, logits out. What comes after the logits is each exporter's own business."""

import copy
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from limbeck.data.preprocess import Preprocess, PreprocessSpec
from limbeck.errors import ExportError, ModelError


class Program(nn.Module):
    """Preprocessing and core in one module that ends at logits."""

    def __init__(self, core: nn.Module, preprocess: Preprocess) -> None:
        super().__init__()
        self.preprocess = preprocess
        self.core = core

    def forward(self, raw: Tensor) -> Tensor:
        """`raw`: uint8 NCHW images or float32 rows; gives float32 logits `(b, outputs)`."""
        return logits_of(self.core(self.preprocess(raw)))


def program(core: nn.Module, preprocess: PreprocessSpec) -> Program:
    """A copy of `core` on the CPU, in float32 and eval mode, behind its preprocessing.

    `core` itself, its device and its mode stay as they are.

    Args:
        core: a student that eats preprocessed float32 input.
        preprocess: its preprocessing.

    Returns:
        Raw examples in, float32 logits out.

    Raises:
        ExportError: the module cannot be copied.

    Example:
        >>> core = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
        >>> program(core, PreprocessSpec(scale=1 / 255))(torch.zeros(2, 1, 2, 2, dtype=torch.uint8)).shape
        torch.Size([2, 3])
    """
    try:
        copied = copy.deepcopy(core)
    except (RuntimeError, TypeError) as error:
        raise ExportError(f"the student cannot be copied for export: {error}; keep tensors in buffers") from error
    return Program(copied.cpu().float(), Preprocess(preprocess)).eval()


def logits_of(output: object) -> Tensor:
    """The logits in what a module returned.

    Args:
        output: whatever it was.

    Returns:
        `output`, `(b, outputs)`.

    Raises:
        ModelError: it is not one tensor of rows.
    """
    if not isinstance(output, Tensor):
        raise ModelError(
            f"the student returns a {type(output).__name__}, but one tensor of logits is expected: wrap it in a module "
            "that returns the logits alone"
        )
    if output.ndim != 2:
        raise ModelError(f"the student returns shape {tuple(output.shape)}, but (batch, outputs) is expected")
    return output


def eager(module: Program, raw: NDArray[Any], *, chunk: int = 256) -> Float[np.ndarray, "n outputs"]:
    """Logits of a program as it stands, without gradients, in chunks of rows."""
    starts = range(0, len(raw), chunk)
    with torch.inference_mode():  # each chunk is copied: torch dislikes arrays that cannot be written
        parts = [module(torch.tensor(raw[start : start + chunk])).numpy() for start in starts]
    return np.concatenate(parts)
