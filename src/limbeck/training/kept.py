"""Weights beside the weights: a moving average of the student, and the best student so far."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from limbeck.errors import RunFolderError


class Kept:
    """A copy of a module's parameters and buffers that can stand in for them.

    Args:
        model: copied as it is now.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> kept = Kept(model)
        >>> _ = nn.init.zeros_(model.weight)
        >>> kept.give(model)
        >>> bool(model.weight == 0)
        False
    """

    def __init__(self, model: nn.Module) -> None:
        self.tensors = {name: value.clone() for name, value in _state(model).items()}

    def take(self, model: nn.Module) -> None:
        """Becomes what the model is now."""
        for name, value in _state(model).items():
            self.tensors[name].copy_(value)

    def give(self, model: nn.Module) -> None:
        """The model becomes what this is."""
        for name, value in _state(model).items():
            value.copy_(self.tensors[name])

    @contextmanager
    def lent(self, model: nn.Module) -> Iterator[None]:
        """The model is this for a while, and then itself again, to the last bit."""
        itself = Kept(model)
        self.give(model)
        try:
            yield
        finally:
            itself.give(model)

    def state_dict(self) -> Mapping[str, Tensor]:
        """For checkpoints."""
        return self.tensors

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunFolderError: the tensors are another model's.
        """
        if tensors.keys() != self.tensors.keys():
            raise RunFolderError("the checkpoint was written without these weights; choose another --out")
        for name, value in self.tensors.items():
            value.copy_(tensors[name])


def average(kept: Kept, model: nn.Module, *, decay: float, updates: int) -> None:
    """Moves `kept` towards the model: `kept = d kept + (1 - d) model` with `d = min(decay, (1 + u) / (10 + u))`.

    The first updates count for more, so that the average soon forgets where training began. Running statistics of
    normalisation are averaged like weights; whole numbers (their counters) are taken over.

    Args:
        kept: the average so far.
        model: after an optimiser step.
        decay: in (0, 1); an average over about the last `1 / (1 - decay)` steps.
        updates: u, optimiser steps that the average has seen before this one.

    Example:
        >>> model = nn.Linear(1, 1, bias=False).requires_grad_(False)
        >>> kept = Kept(nn.Module.zero_grad(model) or model)
        >>> before = model.weight.item()
        >>> _ = model.weight.add_(1)
        >>> average(kept, model, decay=0.9, updates=0)
        >>> round(kept.tensors["weight"].item() - before, 4)
        0.9
    """
    rate = min(decay, (1 + updates) / (10 + updates))
    now = _state(model)
    moving = [name for name, value in kept.tensors.items() if value.is_floating_point()]
    if moving:
        step = get_ema_multi_avg_fn(rate)  # type: ignore[no-untyped-call]
        step([kept.tensors[name] for name in moving], [now[name] for name in moving], None)
    for name in kept.tensors.keys() - set(moving):
        kept.tensors[name].copy_(now[name])


def _state(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers as they lie in memory, each under its first name."""
    own = [*model.named_parameters(), *model.named_buffers()]
    with torch.no_grad():
        return {name: value.detach() for name, value in own}
