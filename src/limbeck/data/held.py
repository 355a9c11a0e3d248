"""Contents kept in memory: decoded once, and never read again. Opt-in, since memory is what data have least of."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from limbeck.data.contents import chunks, content_fingerprint
from limbeck.data.memory import ArraySource
from limbeck.data.pictures import PictureSource
from limbeck.data.source import InputSpec, Source
from limbeck.errors import DataError

_SHARE = 0.8


@dataclass(eq=False)
class Held:
    """A picture source of which every picture lies decoded in memory: the same bits, ids and fingerprint.

    Attributes:
        source: what was decoded.
        contents: `(n, *spec.shape)`, uint8.
    """

    source: PictureSource
    contents: NDArray[Any]
    name: str = field(init=False)
    spec: InputSpec = field(init=False)
    classes: Sequence[str] = field(init=False)
    ids: Int[np.ndarray, " n"] = field(init=False)
    labels: Int[np.ndarray, " n"] = field(init=False)

    def __post_init__(self) -> None:
        self.name, self.spec, self.classes = self.source.name, self.source.spec, self.source.classes
        self.ids, self.labels = self.source.ids, self.source.labels

    def __len__(self) -> int:
        return len(self.contents)

    def read(self, rows: Int[np.ndarray, " b"]) -> NDArray[Any]:
        """A copy of these rows."""
        return np.ascontiguousarray(self.contents[rows])

    def fingerprint(self) -> str:
        """That of the source, which hashes the same contents."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return content_fingerprint(self)


def held(source: Source) -> Source:
    """The source with its contents in memory; what is no file or table (a source of the user's) is left as it is.

    Raises:
        DataError: there is not enough memory for them.
    """
    if not isinstance(source, ArraySource | PictureSource):
        return source
    size = len(source) * int(np.prod(source.spec.shape)) * np.dtype(source.spec.dtype).itemsize
    free = free_bytes()
    if free is not None and size > _SHARE * free:
        raise DataError(
            f"{source.name}: {len(source):,} examples take {size / 1e9:.1f} GB in memory, of which {free / 1e9:.1f} GB "
            "are free; leave data.in_memory out, so that they are read as they are needed"
        )
    contents = np.empty((len(source), *source.spec.shape), dtype=source.spec.dtype)
    start = 0
    for chunk in chunks(source):
        contents[start : start + len(chunk)] = chunk
        start += len(chunk)
    return replace(source, contents=contents) if isinstance(source, ArraySource) else Held(source, contents)


def free_bytes() -> int | None:
    """Memory that a process may still take; `None` where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    free = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), None)
    limit, used = _number("memory.max"), _number("memory.current")
    if limit is None or used is None:
        return free
    return limit - used if free is None else min(free, limit - used)


def _number(name: str) -> int | None:
    """What the container may take and has taken, where there is one."""
    try:
        return int(Path("/sys/fs/cgroup", name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
