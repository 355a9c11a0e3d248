"""Numbers in the text of an objective: what is fingerprinted must tell two settings apart."""


def number(value: float) -> str:
    """The shortest text that reads back as the same float, whole numbers without a point.

    Example:
        >>> number(2.0), number(0.1), number(1 / 3)
        ('2', '0.1', '0.3333333333333333')
    """
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))
