"""A model whose weights, gradients and optimiser state are spread over the processes (torch's `fully_shard`, FSDP2)."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from limbeck.core import processes

BLOCK = 1_000_000
"""Parameters from which a submodule is gathered on its own, so that never all of the model is whole at once."""


def sharded(model: nn.Module, device: torch.device) -> nn.Module:
    """A copy of the model, spread over all processes; the model itself stays as it is, and can stay where it is.

    Args:
        model: alike in every process.
        device: where this process's share goes.

    Returns:
        A module of the same names, whose parameters are `DTensor`s.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (processes.world(),))
    copied = copy.deepcopy(model).to(device)
    for module in reversed(list(copied.modules())):  # inner ones first, the whole last
        inner = [p for p in module.parameters() if not is_sharded(p)]
        if module is not copied and sum(p.numel() for p in inner) >= BLOCK and not isinstance(module, nn.ModuleList):
            fully_shard(module, mesh=mesh)
    fully_shard(copied, mesh=mesh)
    return copied


def is_sharded(tensor: object) -> bool:
    """Whether a tensor is spread over the processes."""
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def whole(tensor: Tensor) -> Tensor:
    """The tensor as one piece; every process must ask, in the same order."""
    full: Tensor = tensor.full_tensor() if is_sharded(tensor) else tensor  # type: ignore[attr-defined]
    return full


def like(tensor: Tensor, pattern: Tensor) -> Tensor:
    """A whole tensor, spread as `pattern` is; in its memory layout, which fused kernels depend on."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(pattern, DTensor):
        return torch.empty_like(pattern).copy_(tensor)
    return distribute_tensor(tensor.to(pattern.device), pattern.device_mesh, pattern.placements)


@torch.no_grad()
def gather_into(model: nn.Module, spread: nn.Module) -> None:
    """The plain model gets the weights and buffers of the sharded one."""
    own: Mapping[str, Tensor] = model.state_dict()
    for name, value in spread.state_dict().items():
        own[name].copy_(whole(value))


@torch.no_grad()
def scatter_from(model: nn.Module, spread: nn.Module) -> None:
    """The sharded model gets the weights and buffers of the plain one."""
    own: Mapping[str, Tensor] = model.state_dict()
    for name, value in spread.state_dict().items():
        value.copy_(like(own[name], value))
