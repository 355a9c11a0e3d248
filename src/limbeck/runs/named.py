"""Names of a recipe, looked up in a package's literal table and built with their settings."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def load_named(table: Mapping[str, str], name: str, settings: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Builds what `table[name]` ("module:Class") names.

    Args:
        table: name -> dotted name.
        name: a key of it.
        settings: keyword arguments of the constructor.

    Returns:
        The instance.

    Example:
        >>> from limbeck.objectives import SCHEDULES
        >>> load_named(SCHEDULES, "constant", {"value": 0.5})
        Constant(value=0.5)
    """
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)(**settings)
