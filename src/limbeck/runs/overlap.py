"""Examples that stand in two splits: found by their contents, whatever they are called."""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt64

from limbeck.data.contents import chunks
from limbeck.data.prefetch import decodes
from limbeck.data.source import Source
from limbeck.errors import DataError

MOST_ROWS = 200_000
"""Examples to learn from, above which nothing is looked for: every one has to be read."""
MOST_DECODED = 10_000
"""The same, where each is a file that has to be decoded."""
_ALIKE = 0.5
"""Above this share it is no chance duplicate any more, but the same data."""
_HASH_BYTES = 8


@dataclass(frozen=True, slots=True)
class Overlap:
    """Examples of one split whose raw contents stand in another, too.

    Attributes:
        part: which split is judged: "test" or "validation".
        beside: what the other one is called.
        shared: examples of `part` that stand there.
        total: examples of `part`.
    """

    part: str
    beside: str
    shared: int
    total: int

    def __str__(self) -> str:
        return f"{self.part} shares {self.shared:,} of {self.total:,} examples with the {self.beside} data"


Hashes = UInt64[np.ndarray, " _"]


def hashes(source: Source) -> Hashes | None:
    """64-bit BLAKE2b of each example's raw bytes; `None` where reading all of them would take too long.

    Memory is 8 bytes an example and a few MiB.
    """
    if len(source) > (MOST_DECODED if decodes(source) else MOST_ROWS):
        return None
    found = np.empty(len(source), dtype=np.uint64)
    start = 0
    for chunk in chunks(source):
        for row in np.ascontiguousarray(chunk):
            digest = hashlib.blake2b(row.tobytes(), digest_size=_HASH_BYTES).digest()
            found[start] = int.from_bytes(digest, "little")
            start += 1
    return found


def overlap(part: Hashes | None, beside: Hashes | None, *, names: tuple[str, str], refused: bool) -> Overlap | None:
    """What two splits share.

    Two examples are the same where their hashes are; by chance they are once in 1e10 for 10,000 among 200,000.

    Args:
        part: what is chosen or tested on.
        beside: what must not contain it.
        names: of both, for the message.
        refused: whether it is an error that more than half of `part` is there.

    Returns:
        `None` where they share nothing, or one of them was not read.

    Raises:
        DataError: more than half of `part` is there, and that is refused.
    """
    if part is None or beside is None:
        return None
    shared = int(np.isin(part, beside).sum())
    if not shared:
        return None
    found = Overlap(*names, shared, len(part))
    if refused and shared > _ALIKE * len(part):
        raise DataError(
            f"{found}; name data in data.{names[0]} and data.unlabelled that stand nowhere else, or leave both out"
        )
    return found
