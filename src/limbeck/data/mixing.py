"""Mixup and CutMix: a view made of two examples. Partner and share follow from (view seed, example id, view number).

Partners are picked by a hash over the source's sorted ids, so they depend on which examples there are, and on nothing
else; teacher and student see the same mixed input.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Int
from scipy.special import betaincinv
from torch import Tensor

from limbeck.data.draws import Draws
from limbeck.errors import InputError

_PARTNER, _HAPPENS, _SHARE, _DOWN, _RIGHT = range(5)
_DRAWS = 5


@runtime_checkable
class Mixing(Protocol):
    """Blends each row with a partner; at most one a chain, and the last in it."""

    def blend(self, inputs: Tensor, partners: Tensor, draws: Draws) -> tuple[Tensor, Float32[np.ndarray, " b"]]:
        """The mixed inputs, float32 or uint8 as it comes, and the share of each row that is its own, 0..1."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """The constructor's arguments as JSON values, for fingerprints."""
        ...


def partner_ranks(draws: Draws, examples: int) -> Int[np.ndarray, " b"]:
    """Which of the sorted ids each row is mixed with, 0..examples-1; itself is possible, once in `examples`."""
    return (draws.bits(_DRAWS)[:, _PARTNER] % np.uint64(examples)).astype(np.int64)


@dataclass(frozen=True)
class Mixup:
    """`share * x + (1 - share) * partner`, with `share` from Beta(alpha, alpha) (Zhang et al. 2018, arXiv 1710.09412).

    Attributes:
        alpha: above 0; 1 draws the share uniformly, as patient and consistent teaching does (Beyer et al. 2022).
        p: probability that a row is mixed at all, 0..1.
    """

    alpha: float = 1.0
    p: float = 1.0

    def __post_init__(self) -> None:
        _check("mixup", self.alpha, self.p)

    def blend(self, inputs: Tensor, partners: Tensor, draws: Draws) -> tuple[Tensor, Float32[np.ndarray, " b"]]:
        """Float32 inputs in the range of the old ones."""
        share = _shares(draws, self.alpha, self.p)
        own = torch.from_numpy(share).view(-1, *(1,) * (inputs.ndim - 1))
        return torch.lerp(partners.float(), inputs.float(), own.expand_as(inputs)), share

    def settings(self) -> Mapping[str, Any]:
        """The arguments."""
        return asdict(self)


@dataclass(frozen=True)
class CutMix:
    """A rectangle of the partner, whose area is 1 - share, replaces that of the row (Yun et al. 2019, 1905.04899).

    Attributes:
        alpha: of the Beta(alpha, alpha) that the share is drawn from, above 0.
        p: probability that a row is mixed at all, 0..1.
    """

    alpha: float = 1.0
    p: float = 1.0

    def __post_init__(self) -> None:
        _check("cutmix", self.alpha, self.p)

    def blend(self, inputs: Tensor, partners: Tensor, draws: Draws) -> tuple[Tensor, Float32[np.ndarray, " b"]]:
        """Inputs of the old type; the share is the exact one, after the rectangle was cut at the border."""
        if inputs.ndim != 4:
            raise InputError(f"views: cutmix takes images, but inputs have shape {tuple(inputs.shape[1:])}; use mixup")
        height, width = inputs.shape[-2:]
        uniform = draws.uniform(_DRAWS)
        side = np.sqrt(1 - _shares(draws, self.alpha, self.p).astype(np.float64))
        rows = _span(height, side, uniform[:, _DOWN])
        columns = _span(width, side, uniform[:, _RIGHT])
        share = 1 - rows.sum(1) * columns.sum(1) / (height * width)
        inside = torch.from_numpy(rows[:, None, :, None] & columns[:, None, None, :])
        return torch.where(inside, partners, inputs), share.astype(np.float32)

    def settings(self) -> Mapping[str, Any]:
        """The arguments."""
        return asdict(self)


def _shares(draws: Draws, alpha: float, p: float) -> Float32[np.ndarray, " b"]:
    uniform = draws.uniform(_DRAWS)
    share = uniform[:, _SHARE] if alpha == 1 else betaincinv(alpha, alpha, uniform[:, _SHARE])
    return np.where(uniform[:, _HAPPENS] < p, share, 1.0).astype(np.float32)


def _span(size: int, side: Any, centre: Any) -> Any:  # noqa: ANN401 - arrays (b,)
    """Which of `size` places lie in a window of `side * size` around a centre, cut at the border; bool (b, size)."""
    length = np.round(side * size)[:, None]
    start = np.floor(centre * size)[:, None] - np.floor(length / 2)
    place = np.arange(size)[None, :]
    return (place >= start) & (place < start + length)


def _check(name: str, alpha: float, p: float) -> None:
    if not 0 < alpha < float("inf"):
        raise InputError(f"views: {name}.alpha: expected a number above 0, got {alpha}")
    if not 0 <= p <= 1:
        raise InputError(f"views: {name}.p: expected 0 to 1, got {p}")
