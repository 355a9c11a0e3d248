"""One example that a student is asked about: where it came from, how it is read, and what to do when it cannot be."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from numpy.typing import NDArray

from limbeck.bundle.config import InputConfig
from limbeck.errors import DataError


@dataclass(frozen=True, slots=True)
class Example:
    """Where a row came from.

    Attributes:
        file: its path; `-` is standard input.
        row: its number within the file; `None` for pictures.
        note: what had to be done to it.
        error: why it could not be read.
    """

    file: Path
    row: int | None = None
    note: str | None = None
    error: str | None = None


Load = Callable[[], tuple[NDArray[Any], str | None]]
"""Reads one example `(*spec.shape)` and says what had to be done to it; raises `DataError` where it cannot."""

Pending = tuple[Example, Load]
"""An example that is known of and not yet read, so that several can be read at once."""


def refused(example: Example, error: Exception) -> Pending:
    """An example that will be reported as unreadable, in its turn."""
    return example, partial(_refuse, error)


def _refuse(error: Exception) -> NoReturn:
    raise error if isinstance(error, DataError) else DataError(str(error)) from error


def guarded(file: Path, pending: Iterable[Pending]) -> Iterator[Pending]:
    """The same; a file that breaks in the middle is one unreadable example more, and no end of everything."""
    try:
        yield from pending
    except DataError as error:
        yield refused(Example(file), error)
    except OSError as error:
        yield refused(Example(file), DataError(f"{file}: cannot be read ({error.strerror or error})"))


def expected(spec: InputConfig) -> str:
    """What a student takes, for messages.

    Example:
        >>> expected(InputConfig(kind="image", shape=(1, 8, 8), dtype="uint8"))
        'uint8 image, 1 x 8 x 8'
    """
    return f"{spec.dtype} {spec.kind}, {' x '.join(map(str, spec.shape))}"
