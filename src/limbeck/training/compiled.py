"""`torch.compile` for the student's passes in training; validation, checkpoints and exports see the plain module."""

from collections.abc import Callable

import torch
from torch import nn

from limbeck.core.batch import Inputs
from limbeck.core.printed import reason


def compile_forward(model: nn.Module, device: torch.device) -> tuple[Callable[[Inputs], object], str | None]:
    """A compiled way to call `model`; its parameters, their names and the module itself are untouched.

    Args:
        model: prepared for its device.
        device: where it computes.

    Returns:
        What to call, and a note where it is the plain model, because nothing here can compile.
    """
    why = cannot_compile(device)
    if why is not None:
        return model, f"train.compile: true, but nothing can be compiled here ({why}), so training runs eagerly"
    return torch.compile(model, dynamic=False), None


def cannot_compile(device: torch.device) -> str | None:
    """Why nothing can be compiled for the device: no C++ compiler, no Triton; `None` where it can."""
    try:
        torch.compile(_probe, dynamic=False)(torch.ones(8, device=device))
    except Exception as error:  # noqa: BLE001 - whatever the compiler's own stack raises
        return reason(error)
    return None


def _probe(x: torch.Tensor) -> torch.Tensor:
    return torch.sin(x) * 2
