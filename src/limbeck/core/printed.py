"""Text of any origin where it is printed: names of files may hold what no encoding has, and what terminals obey."""

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
