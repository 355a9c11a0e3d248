"""Sources made of sources: some of the rows, other labels, or several one after the other. Nothing is copied."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int, Integer
from numpy.typing import NDArray

from limbeck.core.identity import fingerprint
from limbeck.data.contents import derived_fingerprint
from limbeck.data.labels import UNKNOWN, aligned
from limbeck.data.prefetch import decodes
from limbeck.data.source import InputSpec, Source
from limbeck.data.spool import parked
from limbeck.errors import DataError


@dataclass(eq=False)
class Relabelled:
    """The examples of a source with other labels or class names; ids stay.

    Attributes:
        source: where the examples are read.
        labels: class indices, one a row.
        classes: class names.
    """

    source: Source
    labels: Int[np.ndarray, " n"]
    classes: Sequence[str]
    name: str = field(init=False)
    spec: InputSpec = field(init=False)
    ids: Int[np.ndarray, " n"] = field(init=False)
    decodes: bool = field(init=False)

    def __post_init__(self) -> None:
        self.name, self.spec, self.ids = self.source.name, self.source.spec, self.source.ids
        self.decodes = decodes(self.source)
        self.labels = parked(self.labels)

    def __len__(self) -> int:
        return len(self.source)

    def read(self, rows: Int[np.ndarray, " b"]) -> NDArray[Any]:
        """As the source reads them."""
        return self.source.read(rows)

    def fingerprint(self) -> str:
        """From the source's fingerprint, the labels and the class names."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return derived_fingerprint(self.source, self.labels.astype(np.int32), classes=tuple(self.classes))


@dataclass(eq=False)
class Subset:
    """Some rows of a source, in the order given; ids stay, so a row is the same example in every subset.

    Attributes:
        source: where the examples are read.
        rows: row numbers of the source.
    """

    source: Source
    rows: Integer[np.ndarray, " n"]
    name: str = field(init=False)
    spec: InputSpec = field(init=False)
    classes: Sequence[str] = field(init=False)
    ids: Int[np.ndarray, " n"] = field(init=False)
    labels: Int[np.ndarray, " n"] = field(init=False)
    decodes: bool = field(init=False)

    def __post_init__(self) -> None:
        rows = np.asarray(self.rows)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self.source)):
            raise DataError(
                f"{self.source.name}: rows {rows.min()}..{rows.max()} of a source of {len(self.source)} examples"
            )
        self.name, self.spec, self.classes = self.source.name, self.source.spec, self.source.classes
        self.decodes = decodes(self.source)
        wide = len(self.source) > np.iinfo(np.int32).max
        self.rows = parked(rows.astype(np.int64 if wide else np.int32))
        self.ids, self.labels = parked(self.source.ids[rows]), parked(self.source.labels[rows])

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, rows: Int[np.ndarray, " b"]) -> NDArray[Any]:
        """As the source reads them."""
        return self.source.read(self.rows[rows])

    def fingerprint(self) -> str:
        """From the source's fingerprint and the rows."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return derived_fingerprint(self.source, self.rows.astype(np.int64))


@dataclass(eq=False)
class Concat:
    """Several sources one after the other; made by `concat`.

    Attributes:
        parts: the sources.
        classes: class names of all.
    """

    parts: tuple[Source, ...]
    classes: Sequence[str]
    name: str = field(init=False)
    spec: InputSpec = field(init=False)
    ids: Int[np.ndarray, " n"] = field(init=False)
    labels: Int[np.ndarray, " n"] = field(init=False)
    decodes: bool = field(init=False)

    def __post_init__(self) -> None:
        self.name = " + ".join(part.name for part in self.parts)
        self.spec = self.parts[0].spec
        self.decodes = any(decodes(part) for part in self.parts)
        self.ids = parked(np.concatenate([part.ids for part in self.parts]))
        self.labels = parked(np.concatenate([part.labels for part in self.parts]))
        self._ends = np.cumsum([len(part) for part in self.parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, rows: Int[np.ndarray, " b"]) -> NDArray[Any]:
        """As the sources read them, each asked once."""
        inputs = np.empty((len(rows), *self.spec.shape), dtype=self.spec.dtype)
        owner = np.searchsorted(self._ends, rows, side="right")
        for index in np.unique(owner).tolist():
            mine = owner == index
            start = 0 if index == 0 else int(self._ends[index - 1])
            inputs[mine] = self.parts[index].read(rows[mine] - start)
        return inputs

    def fingerprint(self) -> str:
        """From the sources' fingerprints, in order."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint([[part.fingerprint() for part in self.parts], list(self.classes)])


def concat(sources: Sequence[Source]) -> Source:
    """The sources one after the other; one alone is returned as it is.

    Class names are the first source's; the others must have the same, or none of their examples labelled.

    Raises:
        DataError: inputs or classes that differ, or an example that occurs twice.
    """
    if not sources:
        raise DataError("nothing to put together: no source was given")
    first = sources[0]
    if len(sources) == 1:
        return first
    for other in sources[1:]:
        same_inputs(other, first)
        if tuple(other.classes) != tuple(first.classes) and (other.labels >= 0).any():
            raise DataError(f"{other.name}: classes are not those of {first.name}; map them first with align_classes")
    together = Concat(tuple(sources), first.classes)
    values, counts = np.unique(together.ids, return_counts=True)
    if (counts > 1).any():
        row = int(np.flatnonzero(together.ids == values[counts > 1][0])[0])
        raise DataError(
            f"{together.name}: {int((counts > 1).sum())} examples occur twice (first: row {row}); "
            "give each source once, and a name of its own"
        )
    return together


def same_inputs(source: Source, reference: Source) -> Source:
    """The source, where its inputs are like the reference's.

    Raises:
        DataError: their shapes or types differ.
    """
    if source.spec != reference.spec:
        raise DataError(
            f"{source.name}: inputs are {source.spec}, those of {reference.name} {reference.spec}; make them alike "
            "(image folders: data.size, data.channels)"
        )
    return source


def without_labels(source: Source, rows: Integer[np.ndarray, " m"] | None = None) -> Source:
    """The source with the labels of these rows hidden (-1); of all rows where none are named."""
    labels = np.array(source.labels, dtype=np.int32)
    labels[slice(None) if rows is None else rows] = UNKNOWN
    return Relabelled(source, labels, source.classes)


def align_classes(source: Source, classes: Sequence[str]) -> Source:
    """The source with labels that index `classes`, mapped by name.

    Raises:
        DataError: a class that has examples here is missing from `classes`.
    """
    if tuple(source.classes) == tuple(classes):
        return source
    return Relabelled(source, aligned(source.labels, source.classes, classes, source.name), tuple(classes))
