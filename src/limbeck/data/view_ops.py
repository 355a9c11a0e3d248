"""The built-in view ops, vectorised over the batch. What an op does to a row hangs on that row's draws alone.

Geometric ops say where pixels come from (`maps`); pixel ops change them in place (`change`). Lengths of ranges are in
pixels or in shares of the side; brightness is in 0..255.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from limbeck.data.draws import Draws
from limbeck.data.gather import OUTSIDE, AxisMap
from limbeck.errors import InputError

_BRIGHTEST = 255.0
_MOST_OBLONG = 3.3
_IMAGE_AXES = 4


@runtime_checkable
class Geometric(Protocol):
    """Moves pixels."""

    @property
    def fill(self) -> float | None:
        """Value of pixels that come from outside; `None` where none does."""
        ...

    def maps(self, draws: Draws, height: int, width: int) -> tuple[AxisMap | None, AxisMap | None]:
        """Where each output row and column comes from; `None` leaves an axis as it is."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """The constructor's arguments as JSON values, for fingerprints."""
        ...


@runtime_checkable
class Pixelwise(Protocol):
    """Changes pixels where they are."""

    @property
    def batched(self) -> bool:
        """Whether all rows are done at once; the alternative is slow, and is announced."""
        ...

    def change(self, inputs: Tensor, draws: Draws, *, image: bool) -> Tensor:
        """New inputs of the same shape, leaving the old ones alone; `image`: values mean brightness in 0..255."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """The constructor's arguments as JSON values, for fingerprints."""
        ...


@dataclass(frozen=True)
class Shift:
    """Moves by up to so many pixels each way and axis, whole pixels, all equally likely: a padded random crop.

    Attributes:
        pixels: the farthest, at least 1.
        fill: what comes in from outside, 0..255.
    """

    pixels: int = 2
    fill: float = 0.0

    def __post_init__(self) -> None:
        _expect(_is_whole(self.pixels) and self.pixels >= 1, "shift.pixels", "a whole number, at least 1", self.pixels)
        _expect(0 <= self.fill <= _BRIGHTEST, "shift.fill", "0 to 255", self.fill)

    def maps(self, draws: Draws, height: int, width: int) -> tuple[AxisMap | None, AxisMap | None]:
        """Two draws: down, right."""
        steps = np.floor(draws.uniform(2) * (2 * self.pixels + 1)).astype(np.int64) - self.pixels
        return _shifted(height, steps[:, :1]), _shifted(width, steps[:, 1:])

    def settings(self) -> Mapping[str, Any]:
        """The arguments."""
        return asdict(self)


def _shifted(size: int, by: AxisMap) -> AxisMap:
    source: AxisMap = np.arange(size)[None, :] - by
    source[(source < 0) | (source >= size)] = OUTSIDE
    return source


@dataclass(frozen=True)
class Flip:
    """Mirrors with probability `p`: left-right when `horizontal`, else upside down.

    Attributes:
        horizontal: which axis. Digits and letters change their meaning when mirrored: leave it out there.
        p: 0..1.
    """

    horizontal: bool = True
    p: float = 0.5
    fill: ClassVar[float | None] = None

    def __post_init__(self) -> None:
        _expect(0 <= self.p <= 1, "flip.p", "0 to 1", self.p)

    def maps(self, draws: Draws, height: int, width: int) -> tuple[AxisMap | None, AxisMap | None]:
        """One draw."""
        size = width if self.horizontal else height
        straight = np.arange(size)[None, :]
        flipped = np.where(draws.uniform(1) < self.p, straight[:, ::-1], straight)
        return (None, flipped) if self.horizontal else (flipped, None)

    def settings(self) -> Mapping[str, Any]:
        """The arguments."""
        return asdict(self)


@dataclass(frozen=True)
class Crop:
    """Cuts out a window of a random share of each side, anywhere, and enlarges it to the full size (nearest pixel).

    Attributes:
        share: (least, most) share of the side, drawn once for both axes; (1, 1) changes nothing.
    """

    share: tuple[float, float] = (0.7, 1.0)
    fill: ClassVar[float | None] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "share", _range(self.share, "crop.share"))

    def maps(self, draws: Draws, height: int, width: int) -> tuple[AxisMap | None, AxisMap | None]:
        """Three draws: share, top, left."""
        u = draws.uniform(3)
        share = self.share[0] + u[:, :1] * (self.share[1] - self.share[0])
        return _window(height, share, u[:, 1:2]), _window(width, share, u[:, 2:])

    def settings(self) -> Mapping[str, Any]:
        """The arguments."""
        return {"share": list(self.share)}


def _window(size: int, share: Any, place: Any) -> AxisMap:  # noqa: ANN401 - float columns (b, 1)
    start = place * (size - share * size)
    window: AxisMap = np.minimum(np.floor(start + (np.arange(size)[None, :] + 0.5) * share).astype(np.int64), size - 1)
    return window


@dataclass(frozen=True)
class Erase:
    """Paints over a rectangle with probability `p` (random erasing, Zhong et al. 2017, arXiv:1708.04896).

    Attributes:
        share: (least, most) share of the image's area.
        p: 0..1.
        fill: what is painted, 0..255.
    """

    share: tuple[float, float] = (0.02, 0.2)
    p: float = 0.5
    fill: float = 0.0
    batched: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "share", _range(self.share, "erase.share"))
        _expect(0 <= self.p <= 1, "erase.p", "0 to 1", self.p)
        _expect(0 <= self.fill <= _BRIGHTEST, "erase.fill", "0 to 255", self.fill)

    def change(self, inputs: Tensor, draws: Draws, *, image: bool) -> Tensor:
        """Six draws: whether, area, oblongness, upright or lying, top, left."""
        del image
        need_images(inputs, "erase")
        u = draws.uniform(6)
        height, width = inputs.shape[-2:]
        area = (self.share[0] + u[:, 1] * (self.share[1] - self.share[0])) * height * width
        oblong = 1 + u[:, 2] * (_MOST_OBLONG - 1)
        ratio = np.where(u[:, 3] < 0.5, oblong, 1 / oblong)
        rows = _interval(height, np.sqrt(area * ratio), u[:, 4])
        columns = _interval(width, np.sqrt(area / ratio), u[:, 5])
        rows &= u[:, :1] < self.p
        painted = torch.from_numpy(rows[:, :, None] & columns[:, None, :]).to(inputs.device)
        return inputs.masked_fill(painted[:, None], self.fill)

    def settings(self) -> Mapping[str, Any]:
        """The arguments."""
        return asdict(self) | {"share": list(self.share)}


def _interval(size: int, length: Any, place: Any) -> Any:  # noqa: ANN401 - float vectors (b,) in, bool (b, size) out
    length = np.clip(np.rint(length), 1, size)
    start = np.floor(place * (size - length + 1))[:, None]
    axis = np.arange(size)[None, :]
    return (axis >= start) & (axis < start + length[:, None])


@dataclass(frozen=True)
class Noise:
    """Adds independent Gaussian noise to each pixel; images become float32 and are clipped to 0..255.

    Attributes:
        std: standard deviation, in units of brightness (0..255) for images, in the input's own for arrays.
    """

    std: float = 8.0
    batched: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _expect(0 < self.std <= _BRIGHTEST, "noise.std", "above 0, at most 255", self.std)

    def change(self, inputs: Tensor, draws: Draws, *, image: bool) -> Tensor:
        """One draw for every four numbers: 16 bits choose one of 65536 equally likely normal quantiles."""
        rows, size = inputs.shape[0], inputs[:1].numel()
        bits = draws.bits(-(-size // 4)).view(np.uint16)[:, :size]
        noise = torch.from_numpy(_normal_quantiles()[bits]).mul_(self.std).view(inputs.shape)
        noisy = noise.to(inputs.device).add_(inputs) if rows else inputs.float()
        return noisy.clamp_(0, _BRIGHTEST) if image else noisy

    def settings(self) -> Mapping[str, Any]:
        """The arguments."""
        return asdict(self)


@cache
def _normal_quantiles() -> Float32[np.ndarray, " 65536"]:
    """A table, since `log` and `sin` may round differently from one lane of a vector unit to the next."""
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(1 << 16) + 0.5) / (1 << 16)), dtype=np.float32)


def need_images(inputs: Tensor, op: str) -> None:
    """Refuses what has no height and width.

    Raises:
        InputError: the inputs are not `(b, c, h, w)`.
    """
    if inputs.dim() != _IMAGE_AXES:
        shape = " x ".join(map(str, inputs.shape[1:]))
        raise InputError(
            f"views: {op} needs images (channels x height x width), but an example is {shape}; leave it out"
        )


def _expect(met: bool, argument: str, expected: str, came: object) -> None:
    if not met:
        raise InputError(f"views: {argument}: expected {expected}, got {came!r}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _range(share: Any, argument: str) -> tuple[float, float]:  # noqa: ANN401 - as recipes give it
    try:
        least, most = (float(value) for value in share)
    except (TypeError, ValueError):
        raise InputError(f"views: {argument}: expected (least, most), got {share!r}") from None
    _expect(0 < least <= most <= 1, argument, "0 < least <= most <= 1", share)
    return least, most
