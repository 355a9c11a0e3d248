"""Cells of the tables of studies: a number with its interval, as text."""

from limbeck.record import Estimate, MetricRecord
from limbeck.reporting import numbers
from limbeck.studies.record import Comparison


def estimate(quality: Estimate | None, metric: MetricRecord) -> str:
    r"""A quality and its interval.

    Example:
        >>> metric = MetricRecord(name="accuracy", higher_is_better=True, percent=True)
        >>> estimate(Estimate(value=0.9, ci95=(0.88, 0.92)), metric).replace("\N{EN DASH}", " to ")
        '90.0% (88.0 to 92.0%)'
    """
    if quality is None:
        return numbers.ABSENT
    shown = numbers.score(quality.value, metric)
    if quality.ci95 is None:
        return shown
    return f"{shown} ({numbers.span(*quality.ci95, lambda value: numbers.score(value, metric))})"


def difference(each: Comparison | None, metric: MetricRecord) -> str:
    """A difference and its interval, the unit left out."""
    if each is None:
        return numbers.ABSENT
    shown = numbers.difference(each.difference, metric).replace(f"{numbers.SPACE}points", "")
    return shown if each.ci95 is None else f"{shown} ({numbers.interval(*each.ci95, metric)})"


def p_value(each: Comparison | None) -> str:
    """After Holm's correction."""
    if each is None or each.p_value_holm is None:
        return numbers.ABSENT
    return "<0.001" if each.p_value_holm < 0.001 else numbers.p_value(each.p_value_holm)


def ends(quality: Estimate) -> tuple[float, float]:
    """The interval's ends; the value twice where there is none."""
    return quality.ci95 or (quality.value, quality.value)
