"""`methods`: the cards of all objectives: what each does, what it needs, when it helps, and when it hurts."""

from importlib import import_module

from limbeck.objectives import METHODS, MethodCard


def methods() -> list[MethodCard]:
    """Cards of the objectives that a recipe may name, in the order of the table.

    Example:
        >>> [card.name for card in methods()][:2]
        ['soft-targets', 'hard-labels']
    """
    cards = []
    for where in METHODS.values():
        card = import_module(where.partition(":")[0]).CARD
        assert isinstance(card, MethodCard), "every objective's module has a card"
        cards.append(card)
    return cards
