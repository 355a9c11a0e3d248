"""Measuring a module without leaving a trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn

from limbeck.core.batch import Inputs


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode for a while; every submodule gets its own mode back, also after an exception."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, training in modes:
            each.training = training


def device_of(module: nn.Module) -> torch.device:
    """Where a module's first parameter or buffer lies; the CPU for a module that has none."""
    tensors = chain(module.parameters(), module.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def first_row(module: nn.Module, example: Inputs) -> Inputs:
    """The first example of a batch, as a batch of one, on the module's device."""
    device = device_of(module)
    if isinstance(example, torch.Tensor):
        return example[:1].to(device)
    return {name: tensor[:1].to(device) for name, tensor in example.items()}
