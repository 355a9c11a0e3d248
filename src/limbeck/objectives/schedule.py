"""Weights that change over training, as pure functions of the share of training done."""

from dataclasses import dataclass

from limbeck.errors import RecipeError
from limbeck.objectives.ranges import check_not_auto
from limbeck.objectives.text import number


@dataclass(frozen=True, slots=True)
class Constant:
    """The same weight throughout.

    Attributes:
        value: the weight, at least 0.
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        _check_weight("value", self.value)

    def at(self, progress: float) -> float:
        """Weight at `progress` (0 at the first step, towards 1 at the last)."""
        del progress
        return self.value

    def scaled(self, factor: float) -> "Constant":
        """The same schedule with every weight multiplied."""
        return Constant(self.value * factor)

    def __str__(self) -> str:
        return number(self.value)


@dataclass(frozen=True, slots=True)
class Decay:
    """Falls (or rises) in a straight line from `value` at the start to `end` at the end (as in FitNets, stage 2).

    Attributes:
        value: weight at the start, at least 0.
        end: weight at the end, at least 0.

    Example:
        >>> Decay(1.0, 0.5).at(0.5)
        0.75
    """

    value: float = 1.0
    end: float = 0.0

    def __post_init__(self) -> None:
        _check_weight("value", self.value)
        _check_weight("end", self.end)

    def at(self, progress: float) -> float:
        """Weight at `progress` (0 at the first step, towards 1 at the last)."""
        return self.value + (self.end - self.value) * progress

    def scaled(self, factor: float) -> "Decay":
        """The same schedule with every weight multiplied."""
        return Decay(self.value * factor, self.end * factor)

    def __str__(self) -> str:
        return f"Decay({number(self.value)}, {number(self.end)})"


@dataclass(frozen=True, slots=True)
class First:
    """`value` in the first share of training, `end` after it (Blakeney et al. 2022: 20 to 50% was best for BERT).

    Where the weight is 0 the teacher is not run at all, which is what makes it cheaper.

    Attributes:
        value: weight at first, at least 0.
        share: of training, 0 < share <= 1.
        end: weight afterwards, at least 0.

    Example:
        >>> [First(1.0, share=0.5).at(p) for p in (0.0, 0.49, 0.5)]
        [1.0, 1.0, 0.0]
    """

    value: float = 1.0
    share: float = 0.3
    end: float = 0.0

    def __post_init__(self) -> None:
        _check_weight("value", self.value)
        _check_weight("end", self.end)
        _check_share(self.share)

    def at(self, progress: float) -> float:
        """Weight at `progress` (0 at the first step, towards 1 at the last)."""
        return self.value if progress < self.share else self.end

    def scaled(self, factor: float) -> "First":
        """The same schedule with every weight multiplied."""
        return First(self.value * factor, self.share, self.end * factor)

    def __str__(self) -> str:
        return f"First({number(self.value)}, share={number(self.share)}, end={number(self.end)})"


@dataclass(frozen=True, slots=True)
class Late:
    """0 at first, `value` once a share of training is done: `Late(1, after=s)` begins where `First(1, share=s)` ends.

    Where the weight is 0 the teacher is not run at all.

    Attributes:
        value: weight from then on, at least 0.
        after: share of training before it, 0 <= after < 1.

    Example:
        >>> [Late(1.0, after=0.5).at(p) for p in (0.0, 0.49, 0.5)]
        [0.0, 0.0, 1.0]
    """

    value: float = 1.0
    after: float = 0.5

    def __post_init__(self) -> None:
        _check_weight("value", self.value)
        if not 0 <= self.after < 1:
            raise RecipeError(f"after: {self.after} is not in [0, 1)")

    def at(self, progress: float) -> float:
        """Weight at `progress` (0 at the first step, towards 1 at the last)."""
        return self.value if progress >= self.after else 0.0

    def scaled(self, factor: float) -> "Late":
        """The same schedule with every weight multiplied."""
        return Late(self.value * factor, self.after)

    def __str__(self) -> str:
        return f"Late({number(self.value)}, after={number(self.after)})"


@dataclass(frozen=True, slots=True)
class Rise:
    """A warm-up: from 0 in a straight line to `value` over the first share of training, then `value`.

    It is 0 at the first step and nowhere else, so another term must stand beside it.

    Attributes:
        value: weight once it has risen, at least 0.
        share: of training over which it rises, 0 < share <= 1.

    Example:
        >>> [Rise(2.0, share=0.5).at(p) for p in (0.0, 0.25, 0.5, 0.9)]
        [0.0, 1.0, 2.0, 2.0]
    """

    value: float = 1.0
    share: float = 0.1

    def __post_init__(self) -> None:
        _check_weight("value", self.value)
        _check_share(self.share)

    def at(self, progress: float) -> float:
        """Weight at `progress` (0 at the first step, towards 1 at the last)."""
        return self.value * min(1.0, progress / self.share)

    def scaled(self, factor: float) -> "Rise":
        """The same schedule with every weight multiplied."""
        return Rise(self.value * factor, self.share)

    def __str__(self) -> str:
        return f"Rise({number(self.value)}, share={number(self.share)})"


Schedule = Constant | Decay | First | Late | Rise


def jump(schedule: Schedule) -> float | None:
    """Where in training the weight jumps, if it does.

    Example:
        >>> jump(Late(1.0, after=0.25)), jump(Decay())
        (0.25, None)
    """
    match schedule:
        case First():
            return schedule.share
        case Late():
            return schedule.after
    return None


def as_schedule(weight: float | Schedule) -> Schedule:
    """A number is a constant schedule.

    Raises:
        RecipeError: the number is negative, infinite or NaN; or it is `auto`.
    """
    check_not_auto("weight", weight)
    return Constant(float(weight)) if isinstance(weight, int | float) else weight


def reciprocal(divisor: float) -> float:
    """What `objective / divisor` multiplies weights by.

    Raises:
        RecipeError: the divisor is 0.
    """
    if divisor == 0:
        raise RecipeError("weight: divided by 0, which is no weight")
    return 1 / divisor


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise RecipeError(f"share: {share} is not in (0, 1]")


def _check_weight(name: str, value: float) -> None:
    if not 0 <= value < float("inf"):
        raise RecipeError(f"weight: {name} = {value} is not a finite number of at least 0")
