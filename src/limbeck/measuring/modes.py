"""Where a module lies, and examples brought to it."""

from itertools import chain

import torch
from torch import nn

from limbeck.core.batch import Inputs


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
