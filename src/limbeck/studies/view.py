"""`View`: what a study's page shows beside its answer; plain values, drawn from the record alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One plot.

    Attributes:
        title: above it.
        note: below it, how to read it.
        spec: a Vega-Lite specification without data.
        rows: the data.
        alt: for those who cannot see it.
        height: pixels that are set aside for it.
    """

    title: str
    note: str
    spec: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    alt: str
    height: int


@dataclass(frozen=True, slots=True)
class Table:
    """One table; the first cell of a row names it.

    Attributes:
        title: above it.
        note: how to read it.
        head: names of the columns.
        rows: cells, as text.
        tones: "good", "bad", "unsure" or "none" a row, for its colour.
        links: where the first cell of each row leads, relative to the page.
    """

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    tones: Sequence[str] = ()
    links: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Plots, then tables."""

    figures: Sequence[Figure]
    tables: Sequence[Table]
