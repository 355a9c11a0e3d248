"""The old name of `limbeck.tapping`, whose name a verb has now."""

from limbeck.tapping import tapped

__all__ = ["tapped"]
