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


def real_first(features: Float[Tensor, "b tokens c"], real: Bool[Tensor, "b tokens"]) -> Float[Tensor, "b tokens c"]:
    """The real tokens of each row in their order, wherever padding stood; zeros after them.

    Example:
        >>> tokens = torch.tensor([[[7.0], [1.0], [7.0], [2.0]]])
        >>> real_first(tokens, torch.tensor([[False, True, False, True]])).flatten()
        tensor([1., 2., 0., 0.])
    """
    there, order = torch.sort(real.to(torch.int8), dim=1, descending=True, stable=True)
    return real_only(features.gather(1, order[:, :, None].expand_as(features)), there > 0)


def first_real(features: Float[Tensor, "b tokens c"], mask: Tensor | None) -> Float[Tensor, "b c"]:
    """The first real token of each row, where the padding of some stands in front; zeros where a row has none.

    A mask of another number of tokens says nothing about these: then, and without one, it is the first of all.
    """
    if mask is None or mask.shape != features.shape[:2]:
        return features[:, 0]
    first = mask.to(torch.int8).argmax(dim=1)
    found = features.gather(1, first[:, None, None].expand(-1, 1, features.shape[2]))[:, 0]
    return torch.where(mask.any(dim=1, keepdim=True), found, 0)


def real_only(features: Tensor, real: Tensor | None) -> Tensor:
    """Zeros where a token is padding, whatever stood there."""
    return features if real is None else torch.where(real[:, :, None], features, torch.zeros_like(features))


def total(values: Tensor, real: Tensor | None = None) -> Float[Tensor, " b"]:
    """The sum of each row's values, padding left out."""
    return real_only(values, real).flatten(1).sum(dim=1)


def mean(values: Tensor, real: Tensor | None = None) -> Float[Tensor, " b"]:
    """The mean of each row's values, padding left out; 0 where a row is all padding, or has no values.

    Example:
        >>> mean(torch.tensor([[[1.0], [5.0], [9.0]]]), torch.tensor([[True, True, False]]))
        tensor([3.])
    """
    return total(values, real) / size(values, real)  # a quotient of sums: the gradient of `Tensor.mean` makes a map


def size(features: Tensor, real: Tensor | None = None) -> Tensor | int:
    """How many values a row has, padding left out; at least 1."""
    if real is None:
        return max(1, features.shape[1:].numel())
    return (real.sum(dim=1) * features.shape[2]).clamp_min(1)
