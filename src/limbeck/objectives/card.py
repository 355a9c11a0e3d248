"""`MethodCard`: what a user should know about an objective before choosing it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MethodCard:
    """One objective, described.

    Attributes:
        name: its name in recipes.
        summary: what it does, in a sentence.
        needs: signals, labels and tasks it needs.
        cost: time beside the student's own step; what was measured stands in `measured.MEASURED`.
        memory: likewise, where the bridges are counted that are dropped afterwards.
        variants: other formulas and options that it offers, and by which setting; "none" where it has one formula.
        helps: when it has been seen to help.
        hurts: when it has been seen to hurt.
        paper: source.
        suggested: values to start from.
    """

    name: str
    summary: str
    needs: str
    cost: str
    memory: str
    variants: str
    helps: str
    hurts: str
    paper: str
    suggested: str


CARD_PARTS = ("needs", "cost", "memory", "variants", "helps", "hurts", "suggested", "paper")
"""What is shown of a card below its summary, in this order."""
