"""Random numbers from a counter: a draw depends on the numbers that name it, and on nothing else.

No generator has a state that moves on, so neither order nor company nor interruption can change a draw.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Integer, UInt64

from limbeck.core.identity import key_hash, mix

_WORD = (1 << 64) - 1


def key(domain: str, *words: int) -> np.uint64:
    """Folds a domain ("order", "view", "split") and integers (seed, pass, ...) into one 64-bit key.

    Example:
        >>> key("order", 0, 1) in (key("view", 0, 1), key("order", 1, 0))
        False
    """
    folded = np.array([key_hash(domain)], dtype=np.uint64)
    for word in words:
        folded = mix(folded ^ np.uint64(word & _WORD))
    return np.uint64(folded[0])


def shuffled(n: int, domain: str, *words: int) -> Int[np.ndarray, " n"]:
    """A permutation of 0..n-1 that depends on its arguments alone: int32 where that is wide enough.

    The keys are hashed by a bijection, so that no two are equal and the order does not depend on how they are sorted.
    """
    order = np.argsort(mix(np.arange(n, dtype=np.uint64) ^ key(domain, *words)))
    return order.astype(np.int32 if n <= np.iinfo(np.int32).max else np.int64)


@dataclass(frozen=True, slots=True)
class Draws:
    """The random numbers of one op for a batch of views, row for row.

    Attributes:
        streams: one 64-bit number a row, hashed from view seed, example id and view number.
        op: the op's place in the chain, so that two equal ops draw different numbers.
    """

    streams: UInt64[np.ndarray, " b"]
    op: int

    def bits(self, count: int) -> UInt64[np.ndarray, "b count"]:
        """`count` independent 64-bit numbers a row; asking again gives the same ones."""
        counters = np.arange(count, dtype=np.uint64) + np.uint64(self.op << 32)
        return mix(self.streams[:, None] ^ mix(counters))

    def uniform(self, count: int) -> Float[np.ndarray, "b count"]:
        """`count` numbers a row, uniform over [0, 1) in steps of 2^-53; the same bits as `bits`."""
        return (self.bits(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def streams(seed: int, ids: Integer[np.ndarray, " b"], views: Integer[np.ndarray, " b"]) -> UInt64[np.ndarray, " b"]:
    """What a view depends on, hashed: view seed, example id, view number."""
    of_example = mix(ids.astype(np.int64).view(np.uint64) ^ key("view", seed))
    return mix(of_example ^ views.astype(np.int64).view(np.uint64))
