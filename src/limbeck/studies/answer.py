"""`Answer`: what a kind of study makes of its models' answers."""

from dataclasses import dataclass

from limbeck.studies.record import Comparison, Finding


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found.

    Attributes:
        sentences: the answer in plain words, the first one most of all.
        comparisons: arms against one another.
        findings: the numbers that the study was made for.
        notes: what the reader should know.
    """

    sentences: tuple[str, ...]
    comparisons: tuple[Comparison, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
