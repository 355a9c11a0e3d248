"""Models that give and take all that a tap must cope with."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


@dataclass
class Said:
    hidden: Tensor
    extra: object = None


class Block(nn.Module):
    """Gives whatever `how` makes of its activation."""

    def __init__(self, how):
        super().__init__()
        self.line, self.how = nn.Linear(4, 4), how

    def forward(self, x, *, scale=None):
        y = self.line(x)
        return self.how(y if scale is None else y * scale)


SHAPES = {
    "tuple": (lambda y: (y, y * 2), "block:out.1"),
    "list": (lambda y: [y, y * 2], "block:out.1"),
    "mapping": (lambda y: {"x": y, "y": y * 2}, "block:out.y"),
    "named tuple": (lambda y: Pair(y, y * 2), "block:out.second"),
    "dataclass": (lambda y: Said(y, y * 2), "block:out.extra"),
    "nested": (lambda y: (None, {"deep": (y, y * 2)}), "block:out.1.deep.1"),
    "number key": (lambda y: {0: y, 1: y * 2}, "block:out.1"),
}
"""What a block gives, and the path of twice its activation."""


class Net(nn.Module):
    """Two lines and a block between them; a ReLU works in place on the first."""

    def __init__(self, how=lambda y: y):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.relu = nn.Linear(3, 4), nn.ReLU(inplace=True)
        self.block, self.last = Block(how), nn.Linear(4, 2)

    def forward(self, x):
        hidden = self.relu(self.first(x))
        given = self.block(hidden, scale=torch.ones(4))
        return self.last(tensors(given)[-1])


def tensors(value):
    if isinstance(value, Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else vars(value).values() if isinstance(value, Said) else value
    return [] if value is None else [each for item in values if item is not None for each in tensors(item)]


class Twice(nn.Module):
    """One line that runs twice, or not at all."""

    def __init__(self):
        super().__init__()
        self.line, self.idle, self.head = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.line(self.line(x)))


def traces(model):
    """Everything that hooks leave on a model."""
    names = [name for name in vars(nn.Module()) if "hook" in name]
    return {f"{path}.{name}": dict(found) for path, part in model.named_modules() for name in names
            if (found := vars(part).get(name))}  # fmt: skip


def attributes(model):
    return {path: sorted(vars(part)) for path, part in model.named_modules()}
