"""`Bridge`: the steps of a plan, carried out; only channels are learned."""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from limbeck.errors import ModelError
from limbeck.objectives.bridges.plan import Channels, Pool, Resize, ResizeTokens, Step, Stretch, ToGrid, ToTokens, plan


class Bridge(nn.Module):
    """Leads the student's activations to the teacher's shape; without parameters where channels agree.

    Args:
        steps: from `plan`.
        given: the student's shape, without the batch axis.
        bias: whether maps of channels add one.
    """

    def __init__(self, steps: Sequence[Step], given: tuple[int, ...], *, bias: bool = True) -> None:
        super().__init__()
        self.steps = tuple(steps)
        self.given = given
        step = next((step for step in steps if isinstance(step, Channels)), None)
        self.channels: nn.Conv2d | nn.Linear | None = None
        if step is not None:
            kind = nn.Linear(step.given, step.wanted, bias=bias)
            self.channels = nn.Conv2d(step.given, step.wanted, 1, bias=bias) if step.grid else kind

    def forward(self, features: Tensor, mask: Bool[Tensor, "b tokens"] | None = None) -> Tensor:
        """The activations in the teacher's shape.

        Args:
            features: `(b, *given)`.
            mask: true where a token is real; only read where positions are mixed.

        Raises:
            ModelError: the shape is not the one that the bridge was built for.
        """
        if features.shape[1:] != self.given:
            raise ModelError(
                f"the student's activation has shape {tuple(features.shape[1:])}, its bridge was built for {self.given}"
            )
        for step in self.steps:
            features = self._step(step, features, mask)
        return features

    def _step(self, step: Step, features: Tensor, mask: Tensor | None) -> Tensor:
        if isinstance(step, Channels):
            assert self.channels is not None
            mapped: Tensor = self.channels(features)
            return mapped
        return _moved(step, features, mask)

    def across_channels(self, vectors: Float[Tensor, "b given"]) -> Float[Tensor, "b wanted"]:
        """One position's channels alone, of vectors or tokens."""
        mapped: Tensor = vectors if self.channels is None else self.channels(vectors)
        return mapped

    @property
    def takes_tokens_for_pixels(self) -> bool:
        """Whether tokens are read as a square of pixels, which a sequence with padding is not."""
        return any(isinstance(step, ToGrid | ResizeTokens) for step in self.steps)

    def mask_of(self, mask: Bool[Tensor, "b tokens"]) -> Bool[Tensor, "b other"]:
        """Which tokens are real after the bridge: where it stretches sequences, another number."""
        length = next((step.tokens for step in self.steps if isinstance(step, Stretch)), mask.shape[1])
        if length == mask.shape[1]:
            return mask
        return torch.arange(length, device=mask.device) < _stretched(mask, length)[:, None]


def bridge(
    student: tuple[int, ...],
    teacher: tuple[int, ...],
    *,
    sequence: bool = False,
    learned: bool = False,
    bias: bool = True,
) -> Bridge:
    """The bridge between two shapes, freshly initialised; arguments and errors are those of `plan`.

    Example:
        >>> bridge((8, 7, 7), (16, 14, 14))(torch.zeros(2, 8, 7, 7)).shape
        torch.Size([2, 16, 14, 14])
        >>> list(bridge((8, 7, 7), (8, 14, 14)).parameters())
        []
    """
    return Bridge(plan(student, teacher, sequence=sequence, learned=learned), student, bias=bias)


def _moved(step: Step, features: Tensor, mask: Tensor | None) -> Tensor:
    """Steps without parameters."""
    if isinstance(step, Stretch):
        return stretch(features, step.tokens, mask)
    if isinstance(step, Pool):
        return pool(features, mask)
    if isinstance(step, Resize):
        return resize(features, (step.rows, step.columns))
    if isinstance(step, ToTokens):
        return to_tokens(features, step.prefix)
    if isinstance(step, ToGrid):
        return to_grid(features, step.prefix, (step.rows, step.columns))
    assert isinstance(step, ResizeTokens)
    return _resize_tokens(features, step)


def resize(grid: Float[Tensor, "b c _ _"], size: tuple[int, int]) -> Float[Tensor, "b c _ _"]:
    """Averaged where it shrinks in both axes (no pixel is passed over), bilinear otherwise; the same size stays."""
    rows, columns = grid.shape[2:]
    if (rows, columns) == size:
        return grid
    if rows >= size[0] and columns >= size[1]:
        return F.adaptive_avg_pool2d(grid, size)
    return F.interpolate(grid, size=size, mode="bilinear", align_corners=False)


def to_grid(
    tokens: Float[Tensor, "b tokens c"], prefix: int, size: tuple[int, int]
) -> Float[Tensor, "b c rows columns"]:
    """Tokens in reading order become pixels; the prefix is left out."""
    return tokens[:, prefix:].transpose(1, 2).reshape(len(tokens), tokens.shape[2], *size)


def to_tokens(grid: Float[Tensor, "b c rows columns"], prefix: int = 0) -> Float[Tensor, "b tokens c"]:
    """Pixels in reading order become tokens, after `prefix` tokens that hold the mean over all pixels."""
    pixels = grid.flatten(2).transpose(1, 2)
    return torch.cat([pixels.mean(dim=1, keepdim=True).expand(-1, prefix, -1), pixels], dim=1)


def _resize_tokens(tokens: Tensor, step: ResizeTokens) -> Tensor:
    pixels = resize(to_grid(tokens, step.prefix, step.given), step.wanted)
    return torch.cat([tokens[:, : step.prefix], to_tokens(pixels)], dim=1)


def pool(features: Tensor, mask: Tensor | None = None) -> Float[Tensor, "b c"]:
    """The mean over all positions of a grid or of tokens, padding left out."""
    if features.ndim == 4:
        return features.mean(dim=(2, 3))
    if mask is None:
        return features.mean(dim=1)
    real = mask[:, :, None]
    total = torch.where(real, features, torch.zeros_like(features)).sum(dim=1)
    return total / real.sum(dim=1).clamp_min(1)


def stretch(tokens: Tensor, length: int, mask: Tensor | None = None) -> Float[Tensor, "b length c"]:
    """The real tokens of each row, linearly interpolated to `length` times their share; the rest repeats the last.

    Real tokens keep their order wherever the padding stands; in the result they stand first.
    """
    rows, given = tokens.shape[:2]
    if mask is None:
        mask = torch.ones(rows, given, dtype=torch.bool, device=tokens.device)
    order = torch.sort(mask.to(torch.int8), dim=1, descending=True, stable=True).indices
    real = mask.sum(dim=1, keepdim=True).clamp_min(1)
    wanted = _stretched(mask, length)[:, None].clamp_min(1)
    middle = torch.arange(length, device=tokens.device) + 0.5
    place = (middle * (real / wanted) - 0.5).clamp_min(0).minimum((real - 1).to(middle.dtype))
    low = place.floor().long()
    high = (low + 1).minimum(real - 1)
    share = (place - low).to(tokens.dtype)[:, :, None]
    return _at(tokens, order.gather(1, low)) * (1 - share) + _at(tokens, order.gather(1, high)) * share


def _stretched(mask: Tensor, length: int) -> Tensor:
    """How many tokens are real afterwards: the same share, rounded up."""
    return (mask.sum(dim=1) * length + mask.shape[1] - 1) // mask.shape[1]


def _at(tokens: Tensor, index: Tensor) -> Tensor:
    return tokens.gather(1, index[:, :, None].expand(-1, -1, prod(tokens.shape[2:])))
