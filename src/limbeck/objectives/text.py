"""The text of an objective: what is fingerprinted must tell two settings apart."""

import inspect


def number(value: float) -> str:
    """The shortest text that reads back as the same float, whole numbers without a point.

    Example:
        >>> number(2.0), number(0.1), number(1 / 3)
        ('2', '0.1', '0.3333333333333333')
    """
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def settings(of: object) -> str:
    """Arguments of the constructor that differ from their defaults, as they would be written in a call.

    Args:
        of: an object that keeps each argument under its own name.

    Example:
        >>> from limbeck.objectives import ReverseKL
        >>> settings(ReverseKL()), settings(ReverseKL(2, standardize=True))
        ('', 'temperature=2, standardize=True')
    """
    parameters = inspect.signature(type(of)).parameters.values()
    given = [(parameter.name, getattr(of, parameter.name), parameter.default) for parameter in parameters]
    return ", ".join(f"{name}={_text(value)}" for name, value, default in given if value != default)


def _text(value: object) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else repr(value)
