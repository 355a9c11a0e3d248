"""Rows' values whose gradient is made beside them, in fewer steps and less memory than a graph would take."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

Formula = Callable[..., Tensor]
"""`(student, *fixed)` -> one value a row, by operations that torch differentiates."""
ByHand = Callable[..., tuple[Tensor, Tensor]]
"""`(student, *fixed)` -> the same values, and each row's gradient by the student, shaped like the student."""


def with_gradient(
    formula: Formula, by_hand: ByHand, student: Float[Tensor, "n *shape"], *fixed: Tensor | float | None
) -> Float[Tensor, " n"]:
    """`formula(student, *fixed)`, by hand where a gradient is needed; second derivatives are the formula's.

    Args:
        formula: the definition; a row's value depends on that row alone.
        by_hand: the same values with their gradient.
        student: what the gradient is by.
        *fixed: whatever else both take; no gradient flows into it.

    Example:
        >>> x = torch.tensor([[1.0, 2.0]], requires_grad=True)
        >>> rows = with_gradient(lambda x: (x**2).sum(dim=1), lambda x: ((x**2).sum(dim=1), 2 * x), x)
        >>> rows.sum().backward()
        >>> rows.detach(), x.grad
        (tensor([5.]), tensor([[2., 4.]]))
    """
    if not student.requires_grad or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return formula(student, *fixed)  # compilers see no gradients made by hand
    rows: Tensor = _WithGradient.apply(formula, by_hand, student, *fixed)
    return rows


class _WithGradient(torch.autograd.Function):
    """See `with_gradient`."""

    @staticmethod
    def forward(ctx: Any, formula: Formula, by_hand: ByHand, student: Tensor, *fixed: Tensor | float | None) -> Tensor:  # noqa: ANN401
        rows, gradient = by_hand(student, *fixed)
        ctx.formula, ctx.fixed = formula, fixed
        ctx.save_for_backward(student, gradient)
        return rows

    @staticmethod
    def backward(ctx: Any, above: Tensor) -> Any:  # noqa: ANN401
        student, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody wants the gradient's gradient
            rows = ctx.formula(student, *ctx.fixed)
            (made,) = torch.autograd.grad(rows, student, above, create_graph=True)
        else:
            made = gradient * above.reshape(-1, *[1] * (gradient.ndim - 1))
        return None, None, made, *[None] * len(ctx.fixed)
