"""A sum of pieces too large to be held at once: each piece's gradient is made when its value is."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

Piece = Callable[..., Tensor]
"""`(slice, *tensors)` -> the scalar of that stretch."""


def summed(piece: Piece, count: int, at_once: int, *tensors: Tensor) -> Float[Tensor, ""]:
    """`piece(slice(0, count), *tensors)` for a piece that adds up, in stretches; memory holds one stretch.

    Where several stretches are needed and a gradient is, it is made beside the value, which costs no second pass, and
    kept in the size of `tensors`. A second derivative makes the whole again, all stretches held.

    Args:
        piece: scalar; `piece(slice(a, c)) == piece(slice(a, b)) + piece(slice(b, c))`. Gradients reach `tensors` only.
        count: above 0.
        at_once: length of a stretch, above 0.
        *tensors: what the piece reads that may need a gradient.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> value = summed(lambda stretch, x: (x[stretch] ** 2).sum(), 3, 2, x)
        >>> value.backward()
        >>> value.item(), x.grad
        (14.0, tensor([2., 4., 6.]))
    """
    stretches = [slice(start, min(start + at_once, count)) for start in range(0, count, at_once)]
    learns = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    if len(stretches) == 1 or not learns or torch.compiler.is_compiling():  # compilers see no gradients made by hand
        return _plain(piece, stretches, tensors)
    total: Tensor = _Summed.apply(piece, stretches, *tensors)
    return total


def _plain(piece: Piece, stretches: Sequence[slice], tensors: Sequence[Tensor]) -> Tensor:
    total = piece(stretches[0], *tensors)
    for stretch in stretches[1:]:
        total = total + piece(stretch, *tensors)
    return total


class _Summed(torch.autograd.Function):
    """The value with its gradient; see `summed`."""

    @staticmethod
    def forward(ctx: Any, piece: Piece, stretches: Sequence[slice], *tensors: Tensor) -> Tensor:  # noqa: ANN401
        leaves = [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in tensors]
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        gradients, values = [torch.zeros_like(leaf) for leaf in wanted], []
        for stretch in stretches:
            with torch.enable_grad():
                value = piece(stretch, *leaves)
            for gradient, more in zip(gradients, torch.autograd.grad(value, wanted, allow_unused=True), strict=True):
                if more is not None:
                    gradient.add_(more)
            values.append(value.detach())
        ctx.piece, ctx.stretches, ctx.count = piece, stretches, len(tensors)
        ctx.save_for_backward(*tensors, *gradients)
        return torch.stack(values).sum()

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> Any:  # noqa: ANN401
        tensors, gradients = ctx.saved_tensors[: ctx.count], ctx.saved_tensors[ctx.count :]
        made: Sequence[Tensor | None] = [above * gradient for gradient in gradients]
        if torch.is_grad_enabled():  # somebody wants the gradient's gradient
            wanted = [tensor for tensor in tensors if tensor.requires_grad]
            total = _plain(ctx.piece, ctx.stretches, tensors)
            made = torch.autograd.grad(total, wanted, above, create_graph=True, allow_unused=True)
        left = iter(made)
        return None, None, *(next(left) if tensor.requires_grad else None for tensor in tensors)
