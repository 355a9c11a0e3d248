"""Positions of activations: which tokens are real, sums and means over what is."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from limbeck.errors import ModelError


def real_positions(features: Tensor, mask: Tensor | None, method: str) -> Bool[Tensor, "b tokens"] | None:
    """Which tokens are real, for activations `(b, tokens, channels)`; `None`: all positions, as in grids and vectors.

    Raises:
        ModelError: the batch's mask covers another number of tokens.
    """
    if mask is None or features.ndim != 3:
        return None
    if mask.shape != features.shape[:2]:
        raise ModelError(
            f"{method}: the batch's mask has shape {tuple(mask.shape)}, the activation {tuple(features.shape)}; tap a "
            "layer that keeps one token a position of the input"
        )
    return mask.bool()


def real_only(features: Tensor, real: Tensor | None) -> Tensor:
    """Zeros where a token is padding, whatever stood there."""
    return features if real is None else torch.where(real[:, :, None], features, torch.zeros_like(features))


def total(values: Tensor, real: Tensor | None = None) -> Float[Tensor, " b"]:
    """The sum of each row's values, padding left out."""
    return real_only(values, real).flatten(1).sum(dim=1)


def mean(values: Tensor, real: Tensor | None = None) -> Float[Tensor, " b"]:
    """The mean of each row's values, padding left out; 0 where a row is all padding.

    Example:
        >>> mean(torch.tensor([[[1.0], [5.0], [9.0]]]), torch.tensor([[True, True, False]]))
        tensor([3.])
    """
    return total(values, real) / size(values, real)  # a quotient of sums: the gradient of `Tensor.mean` makes a map


def size(features: Tensor, real: Tensor | None = None) -> Tensor | int:
    """How many values a row has, padding left out; at least 1."""
    return features.shape[1:].numel() if real is None else (real.sum(dim=1) * features.shape[2]).clamp_min(1)
