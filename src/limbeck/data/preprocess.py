"""`Preprocess`: from the raw view to what one model was built for; deterministic, fingerprinted, exported with it."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from limbeck.errors import ModelError


@dataclass(frozen=True, slots=True)
class PreprocessSpec:
    """How a model wants its input: `(resize(x) * scale - mean) / std`, channel by channel.

    Attributes:
        scale: 1/255 for uint8 images; 1 for arrays.
        mean: per channel (the axis after the batch), in the scaled range; empty: nothing is subtracted.
        std: per channel, in the scaled range; empty: nothing is divided.
        size: (height, width) to resize to (bilinear, antialiased), or `None` to keep the size.
        channels: 3 repeats a grey channel and drops what comes after three (transparency), 1 averages colours (ITU-R
            601); `None` keeps them.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    size: tuple[int, int] | None = None
    channels: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For bundles, records and fingerprints."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PreprocessSpec":
        """The inverse of `as_dict`, also after a trip through JSON."""
        size = values["size"]
        return cls(
            scale=values["scale"],
            mean=tuple(values["mean"]),
            std=tuple(values["std"]),
            size=None if size is None else (size[0], size[1]),
            channels=values["channels"],
        )


class Preprocess(nn.Module):
    """The spec as a module: raw `(b, c, h, w)` or `(b, ...)` of any type in, float32 out. Holds no parameters.

    Example:
        >>> images = torch.full((2, 1, 4, 4), 255, dtype=torch.uint8)
        >>> Preprocess(PreprocessSpec(scale=1 / 255, mean=(0.5,), std=(0.5,)))(images).mean().round(decimals=4)
        tensor(1.)
    """

    gain: Tensor | None
    offset: Tensor | None

    def __init__(self, spec: PreprocessSpec) -> None:
        super().__init__()
        self.spec = spec
        gain, offset = _affine(spec)
        self.register_buffer("gain", gain, persistent=False)
        self.register_buffer("offset", offset, persistent=False)

    def forward(self, raw: Tensor) -> Tensor:
        """Applies channels, size, scale and normalisation, in this order.

        Raises:
            ModelError: the channels cannot be turned into those the model wants.
        """
        x = raw.float()
        if self.spec.channels is not None and x.shape[1] != self.spec.channels:
            x = _with_channels(x, self.spec.channels)
        if self.spec.size is not None and tuple(x.shape[-2:]) != self.spec.size:
            x = F.interpolate(x, self.spec.size, mode="bilinear", antialias=True, align_corners=False)
        if self.gain is None or self.offset is None:
            return x
        broadcast = (-1, *(1,) * (x.ndim - 2))
        return torch.addcmul(self.offset.view(broadcast), x, self.gain.view(broadcast))


def _affine(spec: PreprocessSpec) -> tuple[Tensor | None, Tensor | None]:
    """`(x * scale - mean) / std` as one multiply-add: `x * gain + offset`."""
    if spec.scale == 1.0 and not spec.mean and not spec.std:
        return None, None
    channels = max(len(spec.mean), len(spec.std), 1)
    if not {len(spec.mean), len(spec.std)} <= {0, channels}:
        raise ModelError(
            f"preprocess: mean has {len(spec.mean)} numbers, std {len(spec.std)}; give one a channel for each"
        )
    if any(s <= 0 for s in spec.std):
        raise ModelError(f"preprocess: std {list(spec.std)} must be above 0 in every channel")
    mean, std = spec.mean or (0.0,) * channels, spec.std or (1.0,) * channels
    gain = torch.tensor([spec.scale / s for s in std])
    offset = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)])
    return gain, offset


def _with_channels(x: Tensor, channels: int) -> Tensor:
    if x.shape[1] == 1:
        return x.expand(-1, channels, -1, -1)
    if channels == 3 and x.shape[1] > 3:
        return x[:, :3]
    if channels != 1 or x.shape[1] < 3:
        raise ModelError(f"preprocess: {x.shape[1]} channels cannot be turned into {channels}; set channels: null")
    luma = torch.tensor([0.299, 0.587, 0.114], device=x.device).view(1, 3, 1, 1)
    return (x[:, :3] * luma).sum(1, keepdim=True)


class Prepared(nn.Module):
    """A model behind its preprocessing: raw views in, the model's own output out.

    The state dict is the core's alone, so that weights can be exchanged with code that knows nothing of Limbeck.
    """

    def __init__(self, core: nn.Module, preprocess: Preprocess) -> None:
        super().__init__()
        self.preprocess = preprocess
        self.core = core

    def forward(self, raw: Tensor) -> Any:  # noqa: ANN401 - whatever the user's module returns
        """Raw views of shape `(b, *spec.shape)` in."""
        return self.core(self.preprocess(raw))


def normalisation(raw: Tensor) -> PreprocessSpec:
    """The spec that gives each channel mean 0 and standard deviation 1 over these examples.

    A channel that does not vary, to float32's precision, gets a standard deviation of 1, so that nothing is divided by
    zero. Both are rounded to a millionth of the standard deviation, so that a sum's last bits do not change the spec.

    Args:
        raw: uint8 images `(n, c, h, w)`, or float arrays whose second axis is the channel or feature.

    Returns:
        For images with scale 1/255; mean and std in the scaled range.
    """
    scale = 1 / 255 if raw.dtype == torch.uint8 else 1.0
    scaled = raw.double() * scale
    others = tuple(axis for axis in range(raw.ndim) if axis != 1)
    mean = scaled.mean(dim=others)
    std = scaled.std(dim=others, correction=0)
    std = torch.where(std <= 1e-7 * mean.abs(), torch.ones_like(std), std)
    digits = [6 - math.floor(math.log10(s)) for s in std.tolist()]
    return PreprocessSpec(scale=scale, mean=_rounded(mean.tolist(), digits), std=_rounded(std.tolist(), digits))


def _rounded(values: Sequence[float], digits: Sequence[int]) -> tuple[float, ...]:
    return tuple(round(value, places) for value, places in zip(values, digits, strict=True))
