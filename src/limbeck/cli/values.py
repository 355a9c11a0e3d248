"""Small languages of the command line: `key=value` and `a,b`."""

from collections.abc import Sequence
from typing import Any

from limbeck.errors import InputError
from limbeck.recipe.text import parse


def overrides(pairs: Sequence[str] | None) -> dict[str, Any]:
    """`--set key=value` as a mapping; values are read as in a recipe.

    Args:
        pairs: as they were given.

    Raises:
        InputError: one has no `=`, or a key comes twice.

    Example:
        >>> overrides(["train.epochs=5", "objective.temperature=auto", "data.views.ops=[flip]"])
        {'train.epochs': 5, 'objective.temperature': 'auto', 'data.views.ops': ['flip']}
    """
    values: dict[str, Any] = {}
    for pair in pairs or ():
        key, equals, text = pair.partition("=")
        key = key.strip()
        if not (equals and key):
            raise InputError(f"--set {pair}: expected key=value, for instance --set train.epochs=5")
        if key in values:
            raise InputError(f"--set {key} is given twice; keep one")
        values[key] = parse(text, f"--set {key}").values
    return values


def names(text: str, option: str = "--to") -> list[str]:
    """`a,b` as a list.

    Args:
        text: as it was given.
        option: where; for the error.

    Raises:
        InputError: it is empty.

    Example:
        >>> names("onnx, web")
        ['onnx', 'web']
    """
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        example = "no format is named; for instance --to onnx" if option == "--to" else "nothing is named"
        raise InputError(f"{option}: {example}")
    return found


def extents(text: str) -> tuple[int, ...]:
    """`3x64x64` as numbers.

    Args:
        text: as it was given.

    Raises:
        InputError: it is something else.

    Example:
        >>> extents("3x64x64"), extents("20")
        ((3, 64, 64), (20,))
    """
    pieces = text.lower().split("x")
    if not all(piece.strip().isdecimal() and int(piece) for piece in pieces):
        raise InputError(f"--size {text}: expected channels, rows and columns (3x64x64), or one number (20)")
    return tuple(int(piece) for piece in pieces)


def numbers(text: str, option: str) -> list[float]:
    """`a,b` as numbers.

    Args:
        text: as it was given.
        option: where; for the error.

    Raises:
        InputError: one is no number.

    Example:
        >>> numbers("0.1,1", "--shares")
        [0.1, 1.0]
    """
    try:
        return [float(each) for each in names(text, option)]
    except ValueError as error:
        raise InputError(f"{option} {text}: expected numbers separated by commas, for instance 0.1,1") from error
