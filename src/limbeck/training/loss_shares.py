"""How much of the loss each term is, as the history tells it."""

from collections.abc import Mapping

PREFIX = "share/"
"""Before a term's name in the history."""


def of_loss(sizes: Mapping[str, float]) -> dict[str, float]:
    """Each term's share of the loss, `|term| / sum of |terms|`, 0..1; all 0 where every term is.

    Args:
        sizes: weighted terms by name; their sign is not looked at, since some (margins, negative bounds) go below 0.

    Example:
        >>> of_loss({"hint": 1.0, "soft-targets": -3.0})
        {'hint': 0.25, 'soft-targets': 0.75}
    """
    total = sum(map(abs, sizes.values()))
    return {name: abs(value) / total if total else 0.0 for name, value in sizes.items()}


def logged(sizes: Mapping[str, float]) -> dict[str, float]:
    """The shares under `share/NAME`; none of a single term, which is all of the loss.

    Example:
        >>> logged({"hint": 1.0, "soft-targets": 3.0}), logged({"hint": 1.0})
        ({'share/hint': 0.25, 'share/soft-targets': 0.75}, {})
    """
    return {f"{PREFIX}{name}": share for name, share in of_loss(sizes).items()} if len(sizes) > 1 else {}
