"""Many files, known by row: their paths or their bytes, kept in spools so that they take no memory."""

import io
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from jaxtyping import Integer
from numpy.typing import NDArray

from limbeck.data.images import shown
from limbeck.data.spool import Growing, parked

_AT_ONCE = 1024


class Files(Protocol):
    """Encoded pictures."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, row: int, /) -> str:
        """The relative path of one, or what else it is called."""
        ...

    def place(self, row: int) -> Path | IO[bytes]:
        """Where it can be read."""
        ...

    def called(self, row: int) -> str:
        """What messages call it."""
        ...


class Texts:
    """Many texts in a spool: no memory however many there are."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.pieces = Pieces(os.fsencode(text) for text in texts)

    @classmethod
    def of(cls, pieces: "Pieces") -> "Texts":
        """The texts that lie encoded in a spool already."""
        texts = cls()
        texts.pieces = pieces
        return texts

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, row: int) -> str:
        return os.fsdecode(self.pieces[row])


class Pieces:
    """Many pieces of bytes in a spool, added as they come and read once all are there."""

    def __init__(self, pieces: Iterable[bytes] = ()) -> None:
        self._growing, self._growing_ends = Growing(np.uint8), Growing(np.int64)
        self._growing_ends.add(np.zeros(1, np.int64))
        self.add(pieces)

    def add(self, pieces: Iterable[bytes]) -> None:
        """Appends."""
        coming = iter(pieces)
        while group := list(islice(coming, _AT_ONCE)):
            ends = self._growing.length + np.cumsum([len(piece) for piece in group])
            self._growing.add(np.frombuffer(b"".join(group), np.uint8))
            self._growing_ends.add(ends)

    @cached_property
    def _blob(self) -> NDArray[Any]:
        return self._growing.array()

    @cached_property
    def _ends(self) -> NDArray[Any]:
        return self._growing_ends.array()

    def __len__(self) -> int:
        return self._growing_ends.length - 1

    def __getitem__(self, row: int) -> bytes:
        return bytes(self._blob[self._ends[row] : self._ends[row + 1]].tobytes())


class Paths:
    """Files below a folder.

    Args:
        root: the folder.
        paths: relative paths; absolute ones stand for themselves.
    """

    def __init__(self, root: Path, paths: Sequence[str] | Texts) -> None:
        self.root, self._absolute = root, root.absolute()  # the working directory may change
        self.paths = paths if isinstance(paths, Texts) else Texts(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> str:
        return self.paths[row]

    def place(self, row: int) -> Path:
        """The path."""
        return self._absolute / self.paths[row]

    def called(self, row: int) -> str:
        """The path."""
        return shown(self.root / self.paths[row])


class Blobs:
    """Pictures that lie inside a table.

    Args:
        what: the table.
        pieces: their bytes.
    """

    def __init__(self, what: str, pieces: Pieces) -> None:
        self.what, self.pieces = what, pieces

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, row: int) -> str:
        return f"row {row}"

    def place(self, row: int) -> IO[bytes]:
        """The bytes."""
        return io.BytesIO(self.pieces[row])

    def called(self, row: int) -> str:
        """The row of the table."""
        return f"{self.what}, row {row}"


class Chosen:
    """Some of the files.

    Args:
        files: all of them.
        rows: which.
    """

    def __init__(self, files: Files, rows: Integer[np.ndarray, " n"]) -> None:
        self.files, self.rows = files, parked(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> str:
        return self.files[int(self.rows[row])]

    def place(self, row: int) -> Path | IO[bytes]:
        """As before."""
        return self.files.place(int(self.rows[row]))

    def called(self, row: int) -> str:
        """As before."""
        return self.files.called(int(self.rows[row]))
