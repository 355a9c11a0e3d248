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


def overlap(part: Source, beside: Source, *, names: tuple[str, str], refused: bool) -> Overlap | None:
    """What two splits share.

    Two examples are the same where their raw bytes are (by 64-bit BLAKE2b: among 200,000 and 10,000 others a chance
    hit has probability 1e-10). Memory is 8 bytes an example and a few MiB.

    Args:
        part: what is chosen or tested on.
        beside: what must not contain it.
        names: of both, for the message.
        refused: whether it is an error that more than half of `part` is there.

    Returns:
        `None` where they share nothing, or where looking would take too long.

    Raises:
        DataError: more than half of `part` is there, and that is refused.
    """
    if any(len(source) > (MOST_DECODED if decodes(source) else MOST_ROWS) for source in (part, beside)):
        return None
    shared = int(np.isin(_hashes(part), _hashes(beside)).sum())
    if not shared:
        return None
    found = Overlap(*names, shared, len(part))
    if refused and shared > _ALIKE * len(part):
        raise DataError(
            f"{found}; name other data in data.{names[0]}, or leave it out, so that a share of data.train is split off"
        )
    return found


def _hashes(source: Source) -> UInt64[np.ndarray, " n"]:
    found = np.empty(len(source), dtype=np.uint64)
    start = 0
    for chunk in chunks(source):
        for row in np.ascontiguousarray(chunk):
            digest = hashlib.blake2b(row.tobytes(), digest_size=_HASH_BYTES).digest()
            found[start] = int.from_bytes(digest, "little")
            start += 1
    return found
