"""`Source`: examples with stable ids, read by row, raw and canonical."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from limbeck.data.reading import Columns


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What one raw example looks like.

    Attributes:
        kind: "image" (uint8, channels first) or "array" (anything else, float32).
        shape: of one example, without the batch axis; for images `(channels, height, width)`.
        dtype: NumPy name of the raw type, "uint8" or "float32".
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.dtype} {self.kind}, {' x '.join(map(str, self.shape))}"


class Source(Protocol):
    """Examples that can be opened again and give the same bytes.

    At most 16 bytes an example stay in memory (id 8, label 4, row 4); contents are read on demand.
    """

    name: str
    """What people call it, and the namespace of its ids."""
    spec: InputSpec
    classes: Sequence[str]
    """Class names in the order of the labels."""
    ids: Int[np.ndarray, " n"]
    """64-bit example ids (int64), unique within the source."""
    labels: Int[np.ndarray, " n"]
    """Class indices (int32); -1 where unknown."""

    def __len__(self) -> int:
        """How many examples there are."""
        ...

    def read(self, rows: Int[np.ndarray, " b"]) -> NDArray[Any]:
        """Raw inputs `(b, *spec.shape)` of type `spec.dtype`, in the order of `rows`; reading twice gives the same."""
        ...

    def fingerprint(self) -> str:
        """SHA-256 over contents, ids and labels."""
        ...


def columns_of(source: Source) -> Columns | None:
    """Which columns of a table a source was read from, also where it lies in memory; `None`: it was no table."""
    own: Columns | None = getattr(source, "columns", None)
    inner = getattr(source, "source", None)
    return own if own is not None or inner is None else columns_of(inner)


def notes_of(source: Source) -> tuple[str, ...]:
    """What the user should know about how a source was read, also of the sources that it was made of."""
    inner = getattr(source, "source", None)
    own: tuple[str, ...] = tuple(getattr(source, "notes", ()))
    return own if inner is None else own + notes_of(inner)
