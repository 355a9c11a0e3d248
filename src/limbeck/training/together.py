"""What the rows of all processes say, in the order one process would have them: for objectives that compare rows."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from limbeck.core import processes

T = TypeVar("T")


def rows_of_all(value: T) -> T:
    """Signals, or a batch, with the rows of all processes.

    Every process then computes the whole loss, and its gradient reaches the rows of each.

    Args:
        value: this process's rows: a tensor whose first axis they are, or a mapping or dataclass of such.

    Returns:
        The same with every process's rows; process r has had the rows r, r + world, r + 2 world, ...
    """
    return value if processes.world() == 1 else _gathered(value)


def _gathered(value: Any) -> Any:  # noqa: ANN401 - what it is given
    if isinstance(value, Tensor):
        gathered: Tensor = _Rows.apply(value)
        return gathered
    if isinstance(value, Mapping):
        return {name: _gathered(each) for name, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _gathered(getattr(value, field.name)) for field in fields(value)})
    return value


class _Rows(torch.autograd.Function):
    """All rows; backwards, what all processes' losses want of this one's."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:  # noqa: ANN401, ARG004 - torch's own
        plain = own.contiguous().view(torch.uint8) if own.dtype == torch.bool else own.contiguous()
        every = [torch.empty_like(plain) for _ in range(processes.world())]
        torch.distributed.all_gather(every, plain)
        return torch.stack(every, dim=1).flatten(0, 1).view(own.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401, ARG004
        every = processes.add_up(gradients[0].contiguous().clone())
        return every[processes.rank() :: processes.world()]
