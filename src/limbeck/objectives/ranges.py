"""Ranges that several objectives ask of their arguments, refused in one voice."""

from limbeck.errors import RecipeError


def check_temperature(temperature: float) -> None:
    """A temperature is positive and finite.

    Raises:
        RecipeError: it is not, or it is `auto`.
    """
    check_not_auto("temperature", temperature)
    if not 0 < temperature < float("inf"):
        raise RecipeError(
            f"temperature: {temperature} is not a positive number; 1 leaves the probabilities as they are"
        )


def check_not_auto(name: str, value: object) -> None:
    """`auto` is a recipe's word, and of soft-targets alone: an objective in Python is made with numbers.

    Raises:
        RecipeError: it came here.
    """
    if isinstance(value, str) and value == "auto":
        raise RecipeError(
            f"{name}: 'auto' lets validation choose, which only a recipe can say, and of soft-targets alone "
            f"(objective: {{method: soft-targets, {name}: auto}}); here give a number, or leave the "
            "objective out of lk.distil, which then chooses for soft-targets"
        )


def check_at_least_zero(name: str, value: float) -> None:
    """A factor or a margin is at least 0, and finite.

    Raises:
        RecipeError: it is not.
    """
    if not 0 <= value < float("inf"):
        raise RecipeError(f"{name}: {value} is not a finite number of at least 0")


def check_share(name: str, value: float, *, zero: bool = False) -> None:
    """A share of a mixture lies between 0 and 1; `zero` says whether 0 is a share too.

    Raises:
        RecipeError: it does not.
    """
    if not (0 < value < 1 or (zero and value == 0)):
        raise RecipeError(f"{name}: {value} is not in {'[' if zero else '('}0, 1)")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """One of a few words.

    Raises:
        RecipeError: it is another.
    """
    if value not in choices:
        raise RecipeError(f"{name}: {value!r} is none of {', '.join(choices)}")


def check_positive(name: str, value: float) -> None:
    """A length or a width is above 0, and finite.

    Raises:
        RecipeError: it is not.
    """
    if not 0 < value < float("inf"):
        raise RecipeError(f"{name}: {value} is not a positive, finite number")


def check_at_least(name: str, value: float, least: float) -> None:
    """A power or a count is finite and not below `least`.

    Raises:
        RecipeError: it is.
    """
    if not least <= value < float("inf"):
        raise RecipeError(f"{name}: {value} is not a finite number of at least {least:g}")
