"""The role that each tracker fills, and what it is told about a training before it begins."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Card:
    """A training, as trackers know it.

    Attributes:
        name: for people: "student, seed 0".
        identity: fingerprint of everything that the weights depend on.
        folder: where trackers write.
        project: what the trainings of one recipe are kept under.
        config: the resolved recipe, and what is particular to this training.
        recipe: the recipe as text.
    """

    name: str
    identity: str
    folder: Path
    project: str
    config: Mapping[str, Any]
    recipe: str

    @property
    def key(self) -> str:
        """Tells this training from all others, those of another run folder included: 16 hexadecimal digits."""
        return hashlib.sha256(f"{self.identity} {self.folder.resolve()}".encode()).hexdigest()[:16]


class Run(Protocol):
    """One training in one tracker. `Run(card)` opens it; a second time, it takes up the same one.

    Attributes:
        sent: rows up to this step are there already; 0 where there are none.
    """

    sent: int

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Adds points at an optimiser step."""
        ...

    def close(self, final: Mapping[str, float] | None) -> None:
        """Ends it: with its final numbers, or unfinished (`None`)."""
        ...


def flat(values: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Nested mappings and lists as dotted names.

    Example:
        >>> dict(flat({"train": {"epochs": 3}, "arms": ["a", "b"], "none": {}}))
        {'train.epochs': 3, 'arms.0': 'a', 'arms.1': 'b'}
    """
    for key, value in values.items():
        inner = dict(enumerate(value)) if isinstance(value, list | tuple) else value
        if isinstance(inner, Mapping):
            yield from flat({str(name): each for name, each in inner.items()}, f"{at}{key}.")
        else:
            yield f"{at}{key}", value
