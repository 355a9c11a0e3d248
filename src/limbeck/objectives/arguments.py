"""Arguments of objectives: what is out of range is refused, and their text makes the objective again."""

from limbeck.errors import RecipeError
from limbeck.objectives.text import number


def arguments(*positional: str | None, **named: tuple[object, object]) -> str:
    """The text of an objective's arguments: taps first, then each setting whose value is not its default.

    Args:
        *positional: taps, in the constructor's order; those that are `None` may only stand last.
        **named: name -> (value, default).

    Example:
        >>> arguments("layer2", "blocks.3", variant=("paper", "paper"), power=(3.0, 2.0))
        "'layer2', 'blocks.3', power=3"
    """
    taps = list(positional)
    while taps and taps[-1] is None:
        taps.pop()
    settings = [f"{name}={_text(value)}" for name, (value, default) in named.items() if value != default]
    return ", ".join([*(repr(tap) for tap in taps), *settings])


def _text(value: object) -> str:
    return number(value) if isinstance(value, float) else repr(value)


def check_choice(argument: str, value: str, choices: tuple[str, ...]) -> str:
    """The value, if it is one of those there are.

    Raises:
        RecipeError: it is not.
    """
    if value not in choices:
        raise RecipeError(f"{argument}: {value!r} is none of {', '.join(choices)}")
    return value


def check_above(argument: str, value: float, least: float, *, inclusive: bool = False) -> float:
    """The value, if it is finite and above `least`.

    Raises:
        RecipeError: it is not.
    """
    if not (least <= value < float("inf") if inclusive else least < value < float("inf")):
        wanted = f"at least {least:g}" if inclusive else f"above {least:g}"
        raise RecipeError(f"{argument}: {value} is not a finite number {wanted}")
    return value
