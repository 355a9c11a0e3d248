"""Peak memory against an independent reference: the storages that a real eager run reads and writes."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from limbeck.measuring.liveness import peak_activation_bytes


class Recorder(TorchDispatchMode):
    """Notes the storages of every operator that runs, and keeps them so that no address is used twice."""

    def __init__(self):
        super().__init__()
        self.steps, self.kept = [], []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
        self.kept += tensors
        self.steps.append({tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors})
        return result


def ran(module, example):
    """Most bytes alive between the first and the last operator that touches each storage."""
    weights = {tensor.untyped_storage()._cdata for tensor in module.state_dict().values()}
    with torch.no_grad(), Recorder() as recorder:
        module(example)
    steps = [{key: size for key, size in step.items() if key not in weights} for step in recorder.steps]
    keys = {key for step in steps for key in step}
    used = {key: [index for index, step in enumerate(steps) if key in step] for key in keys}
    sizes = {key: size for step in steps for key, size in step.items()}
    return max(
        sum(sizes[key] for key in keys if min(used[key]) <= index <= max(used[key])) for index in range(len(steps))
    )


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.widen = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(2 * channels)
        self.narrow = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x):
        inner = self.narrow(nn.functional.silu(self.norm(self.widen(x))))
        return torch.cat([x + inner, x.flip(1)], 1)


class Branches(nn.Module):
    """Early results that are needed late, views of views, broadcasting."""

    def forward(self, x):
        early = x * 2
        late = x.view(-1, 4, 4).transpose(1, 2)[:, 1:]
        for _ in range(3):
            late = late.tanh() + 1
        a, b, c = late.unbind(1)
        return (torch.stack([a, b, c], 1).sum(2, keepdim=True) * early.view(1, 4, 4)[:, :3]).flatten(1)


NETS = {
    "blocks": (
        nn.Sequential(Block(2), nn.Hardswish(), Block(4), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(128, 10), nn.GELU()),
        (1, 2, 8, 8),
    ),
    "branches": (Branches(), (1, 16)),
    "perceptron": (nn.Sequential(nn.Linear(7, 50), nn.ReLU(), nn.Linear(50, 90), nn.Tanh(), nn.Linear(90, 2)), (1, 7)),
    "strided": (
        nn.Sequential(nn.Conv2d(3, 16, 3, stride=2), nn.ReLU6(), nn.Conv2d(16, 4, 1), nn.Sigmoid()),
        (1, 3, 9, 9),
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_peak_is_that_of_a_real_run(name):
    module, shape = NETS[name]
    example = torch.randn(shape)
    assert peak_activation_bytes(module, example) == ran(module.eval(), example)
