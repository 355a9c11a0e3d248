"""Text of any origin where it is printed: names of files may hold what no encoding has, and what terminals obey.

Errors of other people's code may fill a screen.
"""

import re

_LONE = re.compile("[\ud800-\udfff]")
_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def escaped_json(text: str) -> str:
    r"""JSON text that UTF-8 can hold: bytes of a name that are no UTF-8 become escapes, which readers turn back.

    Example:
        >>> escaped_json('["\udcff.png", "二"]')
        '["\\udcff.png", "二"]'
    """
    return _LONE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plain(text: str) -> str:
    r"""What a terminal would obey (or cannot show) as escapes.

    Example:
        >>> plain("red\x1b[31m.png")
        'red\\x1b[31m.png'
    """
    return _COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def reason(error: Exception) -> str:
    r"""The kind of an error, and the first line of what it says.

    Example:
        >>> reason(ValueError("no such size\nsee the manual")), reason(KeyError())
        ('ValueError: no such size', 'KeyError')
    """
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
