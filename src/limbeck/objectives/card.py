"""`MethodCard`: what a user should know about an objective before choosing it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MethodCard:
    """One objective, described.

    Attributes:
        name: its name in recipes.
        summary: what it does, in a sentence.
        needs: signals, labels and tasks it needs.
        cost: time and memory beside the student's own step.
        helps: when it has been seen to help.
        hurts: when it has been seen to hurt.
        paper: source.
        suggested: values to start from.
    """

    name: str
    summary: str
    needs: str
    cost: str
    helps: str
    hurts: str
    paper: str
    suggested: str
