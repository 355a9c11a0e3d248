"""Random numbers that depend on seed, example and view alone: the same in any batch and after a resume."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

_GOLDEN, _MIX_1, _MIX_2 = (
    value - 2**64 for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)  # int64 wraps around, as unsigned integers do


def scramble(values: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """The splitmix64 finaliser on 64-bit integers, read as signed; see `limbeck.core.identity.mix`.

    Example:
        >>> scramble(torch.tensor([0])).item() % 2**64
        16294208416658607535
    """
    mixed = values + _GOLDEN
    mixed = (mixed ^ _right(mixed, 30)) * _MIX_1
    mixed = (mixed ^ _right(mixed, 27)) * _MIX_2
    return mixed ^ _right(mixed, 31)


def uniform(ids: Int[Tensor, " b"], views: Int[Tensor, " b"], count: int, seed: int) -> Float[Tensor, "b count"]:
    """Numbers in [0, 1), float32, `count` for each row."""
    key = scramble(scramble(ids ^ seed) ^ views)
    number = torch.arange(1, count + 1, device=ids.device)
    return _right(scramble(key[:, None] + number * _GOLDEN), 40).float() / 2**24


def _right(values: Tensor, bits: int) -> Tensor:
    """A shift that fills with zeros; torch's fills with the sign."""
    return (values >> bits) & ((1 << (64 - bits)) - 1)
