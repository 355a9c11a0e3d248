"""What objectives with a temperature become where it grows without end, and where it vanishes."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from limbeck.objectives import Objective


@dataclass(frozen=True)
class Limit:
    """`T^power * value(T)` tends to the reference, which is handed what is learned where the case's own is.

    Attributes:
        reference: independently, of the world (and the state).
        power: of the temperature, so that the limit is neither 0 nor infinite.
        far: how far from 1 it is asked, as a factor: less where an objective takes what is even for constant.
    """

    reference: Callable[..., float]
    power: int = 0
    far: float = 1e4


@dataclass(frozen=True)
class Limits:
    """Both ends of the temperature.

    Attributes:
        at: the objective at a temperature.
        hot: T -> infinity.
        cold: T -> 0.
    """

    at: Callable[[float], Objective]
    hot: Limit
    cold: Limit


def approached(limit: Limit, value_at: Callable[[float], float], expected: float, *, hot: bool) -> None:
    """Nearer far away than a hundredth of the way there, and far away within a thousandth."""
    near, far = (distance if hot else 1 / distance for distance in (limit.far / 100, limit.far))
    first, last = (t**limit.power * value_at(t) for t in (near, far))
    assert last == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert abs(last - expected) <= abs(first - expected) + 1e-9 * (1 + abs(expected))
