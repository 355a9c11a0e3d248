"""The text of an objective: what is fingerprinted must tell two settings apart."""

import inspect
from typing import Any

_OF_A_BASE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
"""`*args, **kwargs`: what a class without a constructor of its own shows of its base's."""


def number(value: float) -> str:
    """The shortest text that reads back as the same float, whole numbers without a point.

    Example:
        >>> number(2.0), number(0.1), number(1 / 3)
        ('2', '0.1', '0.3333333333333333')
    """
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def changed(of: object) -> dict[str, Any]:
    """Arguments of the constructor that differ from their defaults, by name; tuples as lists, as recipes write them.

    Args:
        of: an object that keeps each argument under its own name.

    Example:
        >>> from limbeck.objectives import SoftTargets
        >>> changed(SoftTargets(temperature=4, classes=(0, 2)))
        {'temperature': 4, 'classes': [0, 2]}
    """
    parameters = inspect.signature(type(of)).parameters.values()
    own = [parameter for parameter in parameters if parameter.kind not in _OF_A_BASE]
    given = ((parameter.name, getattr(of, parameter.name), parameter.default) for parameter in own)
    return {name: list(v) if isinstance(v, tuple) else v for name, v, default in given if v != default}


def settings(of: object) -> str:
    """The same, as it would be written in a call.

    Args:
        of: an object that keeps each argument under its own name.

    Example:
        >>> from limbeck.objectives import ReverseKL
        >>> settings(ReverseKL()), settings(ReverseKL(2, standardize=True))
        ('', 'temperature=2, standardize=True')
    """
    return ", ".join(f"{name}={_text(value)}" for name, value in changed(of).items())


def _text(value: object) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else repr(value)
