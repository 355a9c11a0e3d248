"""What the converters share: sums without empty parts, and the ranges of the toolkits' arguments."""

from collections.abc import Callable, Sequence
from math import exp, log
from sys import float_info

from limbeck.errors import RecipeError
from limbeck.objectives.crd import CRD
from limbeck.objectives.objective import Objective
from limbeck.objectives.ranges import check_at_least, check_at_least_zero, check_temperature
from limbeck.objectives.schedule import Schedule
from limbeck.objectives.weighted import WeightedSum

Pair = tuple[str, str]
"""Paths of a student's tap and of a teacher's."""
Pairs = Sequence[tuple[str, str, float]]
"""Student's tap, teacher's tap, weight."""


def added(*parts: tuple[float | Schedule, Objective]) -> WeightedSum:
    """Parts of weight 0 are left out: they would only ask for labels or a teacher.

    Raises:
        RecipeError: a weight is negative or not finite, or all are 0.
    """
    for weight, part in parts:
        if isinstance(weight, int | float):
            check_at_least_zero(f"weight of {type(part).__name__}", weight)
    return WeightedSum([(weight, part) for weight, part in parts if weight != 0])


def for_each(pairs: Pairs, make: Callable[[str, str], Objective]) -> WeightedSum:
    """One objective a pair, with its weight.

    Raises:
        RecipeError: there are no pairs, or a weight is negative.
    """
    if not pairs:
        raise RecipeError(
            "pairs: there are none; name a student's tap, a teacher's, and a weight, once or several times"
        )
    return added(*((weight, make(student, teacher)) for student, teacher, weight in pairs))


def even(weight: float, pairs: Sequence[Pair]) -> Pairs:
    """Each pair with the same weight."""
    return [(student, teacher, weight) for student, teacher in pairs]


def contrast(
    student: str, teacher: str, *, width: int, negatives: int, examples: int, t: float, momentum: float
) -> CRD:
    """CRD with the critic of the authors' code, whose constant is expected instead of measured.

    The code divides each `e^score` by Z, M times their mean over its first batch, when the memory holds random vectors
    of about length 1 in `width` axes. Their products with a unit vector have variance `1 / width`, hence the mean is
    `exp(1 / (2 width t^2))`.

    Raises:
        RecipeError: a value is out of range, or so small that the constant is infinite.
    """
    check_at_least("width of the embeddings", width, 1)
    check_at_least("number of examples", examples, 1)
    check_temperature(t)
    power = 1 / (2 * width * t) / t  # the square of t may be 0
    if log(examples) + power >= log(float_info.max):
        raise RecipeError(
            f"temperature: {t} makes e^(1 / (2 x {width} x {t}^2)), the mean that scores are divided by, infinite; "
            "take a larger one, or wider embeddings"
        )
    constant = examples * exp(power)
    return CRD(
        student, teacher, width=width, temperature=t, memory=negatives, momentum=momentum, examples=examples,
        constant=constant,
    )  # fmt: skip


def check_part(name: str, value: float) -> None:
    """A share of two.

    Raises:
        RecipeError: it is not in [0, 1].
    """
    if not 0 <= value <= 1:
        raise RecipeError(f"{name}: {value} is not in [0, 1]")


def check_classes(classes: int) -> None:
    """At least two classes.

    Raises:
        RecipeError: there are fewer.
    """
    if classes < 2:
        raise RecipeError(f"classes: {classes} is fewer than two")


def check_mean(reduction: str) -> None:
    """Sums over a batch change with its size: no weight is theirs.

    Raises:
        RecipeError: the reduction is another than the mean.
    """
    if reduction != "mean":
        raise RecipeError(
            f"reduction: {reduction!r} adds up over the batch, which no weight says for every size of it; take 'mean' "
            "and multiply its weight by the size of your batches"
        )
