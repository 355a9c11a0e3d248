"""Numbers in texts."""


def is_number(text: str) -> bool:
    """Whether a text can be read as a number.

    Example:
        >>> is_number(" -1.5e3"), is_number("nan"), is_number("1,5")
        (True, True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True
