"""How rows become one number: the weighted mean, the same for every objective."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from limbeck.errors import ModelError


def weighted_mean(
    values: Float[Tensor, " b"],
    weight: Float[Tensor, " b"] | None = None,
    mask: Bool[Tensor, " b"] | None = None,
) -> Float[Tensor, ""]:
    """`sum(w_i v_i) / sum(w_i)` over the rows where `mask` is true; 0, with zero gradient, where no row counts.

    Raises:
        ModelError: weight or mask is not one number a row; it would broadcast silently.

    Example:
        >>> weighted_mean(torch.tensor([1.0, 5.0]), torch.tensor([1.0, 3.0]))
        tensor(4.)
    """
    if weight is None and mask is None:
        return values.mean()
    for beside in (weight, mask):
        if beside is not None and beside.shape != values.shape:
            raise ModelError(
                f"weight and mask hold one number a row: expected {len(values)}, got {tuple(beside.shape)}"
            )
    weight = torch.ones_like(values) if weight is None else weight.to(values.dtype)
    if mask is not None:
        weight = weight * mask
        values = torch.where(mask, values, torch.zeros_like(values))
    total = weight.sum()
    return (weight * values).sum() / torch.where(total > 0, total, torch.ones_like(total))


def full_precision(logits: Tensor) -> Tensor:
    """Half precision becomes float32; float32 and float64 stay."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
