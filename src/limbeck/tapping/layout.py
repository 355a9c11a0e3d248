"""Where a map's channels stand: first, as convolutions have them, or last, as Swin and its kin do."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from limbeck.errors import ModelError

Layout = Literal["channels-first", "channels-last"]
LAYOUTS: dict[str, Layout] = {"channels-first": "channels-first", "channels-last": "channels-last"}
"""What may stand behind the @ of a path."""
PICTURE = 4
"""Channels that a picture may have: a convolution that reads so few reads the input, and tells of no map inside."""


def square_first(shape: tuple[int, ...]) -> bool:
    """Whether two equal axes stand before a third that differs: the sign of a square grid with the channels last.

    Args:
        shape: without the batch axis.

    Example:
        >>> square_first((7, 7, 96)), square_first((64, 7, 7)), square_first((7, 7, 7))
        (True, False, False)
    """
    return len(shape) == 3 and shape[0] == shape[1] != shape[2]


def is_channels_last(path: str, shape: tuple[int, ...]) -> bool:
    """How an activation is read: as its path says behind an @, else by its shape.

    Args:
        path: of the tap, such as `layers.0` or `layers.0@channels-last`.
        shape: without the batch axis.

    Raises:
        ModelError: the path promises a map, and it is none.

    Example:
        >>> is_channels_last("layers.0", (7, 7, 96)), is_channels_last("layers.0@channels-first", (7, 7, 96))
        (True, False)
        >>> is_channels_last("layers.0", (7, 7, 7)), is_channels_last("layers.0@channels-last", (7, 9, 96))
        (False, True)
    """
    place, mark, layout = path.rpartition("@")
    if not mark or layout not in LAYOUTS:
        return square_first(shape)
    if len(shape) != 3:
        raise ModelError(
            f"tap {path!r}: an activation of shape {shape} is no map of three axes, so its channels stand neither "
            f"first nor last; tap {place!r}"
        )
    return layout == "channels-last"


def turned(path: str, features: Tensor) -> Tensor:
    """The activation with the channels first, where it has them last; a view, and anything else as it is.

    Args:
        path: of the tap.
        features: with the batch axis.

    Raises:
        ModelError: see `is_channels_last`.

    Example:
        >>> import torch
        >>> turned("layers.0", torch.zeros(2, 7, 7, 96)).shape
        torch.Size([2, 96, 7, 7])
    """
    return features.movedim(-1, 1) if is_channels_last(path, tuple(features.shape[1:])) else features


def turned_shape(path: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The same of a shape without the batch axis.

    Example:
        >>> turned_shape("layers.0", (7, 7, 96)), turned_shape("layer4", (512, 7, 7))
        ((96, 7, 7), (512, 7, 7))
    """
    return (shape[2], *shape[:2]) if is_channels_last(path, shape) else shape


@dataclass(frozen=True, slots=True)
class Counts:
    """What a model's parts say of the channels of its maps.

    Attributes:
        first: numbers of channels that its convolutions and norms of maps read and give, with the channels first.
        any: lengths of all axes of its parameters: channels are nearly always one, be they first or last.
    """

    first: frozenset[int] = frozenset()
    any: frozenset[int] = frozenset()


def counted(model: nn.Module) -> Counts:
    """Reads the counts off a model's parts; parameters of lazy parts, which have no shape yet, are left out.

    Example:
        >>> counts = counted(nn.Sequential(nn.Conv2d(3, 16, 5), nn.BatchNorm2d(16), nn.Flatten(), nn.Linear(64, 10)))
        >>> sorted(counts.first), sorted(counts.any)
        ([16], [3, 5, 10, 16, 64])
    """
    return Counts(
        frozenset(count for part in model.modules() for count in _channels(part)),
        frozenset(
            size for each in model.parameters() if not isinstance(each, UninitializedParameter) for size in each.shape
        ),
    )


def unclear(shape: tuple[int, ...], counts: Counts) -> bool:
    """Whether such a shape may be either: the channels seem to stand last, but the model says otherwise.

    A map that is not square, `(16 channels, 16 rows, 50 columns)`, looks like a square one with its channels last. It
    may be one where convolutions know as many channels as there are rows, or where no parameter is as long as the last
    axis: whatever has its channels last is normalised or mapped along them.

    Args:
        shape: without the batch axis.
        counts: of the model that gave it; see `counted`.

    Example:
        >>> swin = Counts(first=frozenset({96}), any=frozenset({96, 384}))
        >>> unclear((7, 7, 96), swin), unclear((7, 7, 50), swin), unclear((96, 96, 384), swin)
        (False, True, True)
    """
    return square_first(shape) and (shape[0] in counts.first or shape[2] not in counts.any)


def refusal(path: str, shape: tuple[int, ...]) -> ModelError:
    """For a path that leaves open what its activation is; names the paths that do not."""
    rows, columns, channels = shape
    return ModelError(
        f"tap {path!r}: shape {shape} may be {rows} x {columns} pixels of {channels} channels, or {rows} channels of "
        f"{columns} x {channels} pixels; say which, {path}@channels-last or {path}@channels-first, or tap another part"
    )


def _channels(part: nn.Module) -> tuple[int, ...]:
    """Of the maps that a part reads and gives, where it says so.

    What a convolution reads may come of several put together. A norm over one axis that is a LayerNorm of another name
    is taken for one that turns maps to normalise their channels, as timm's `LayerNorm2d` does.
    """
    if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
        return (part.out_channels, *((part.in_channels,) if part.in_channels > PICTURE else ()))
    if isinstance(part, nn.BatchNorm2d | nn.InstanceNorm2d):
        return (part.num_features,)
    if isinstance(part, nn.GroupNorm):
        return (part.num_channels,)
    if isinstance(part, nn.LayerNorm) and type(part) is not nn.LayerNorm:
        axes: tuple[int, ...] = part.normalized_shape
        return axes if len(axes) == 1 else ()
    return ()
