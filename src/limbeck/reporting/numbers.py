"""Numbers as people read them: few digits, units in the text, a true minus sign."""

from collections.abc import Callable
from math import floor, isfinite, log10

from limbeck.record import MetricRecord

ABSENT = "\N{EN DASH}"
"""Stands where a measure does not apply or was not taken."""

_MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"
"""Between a number and its unit."""
_JUDGED = 0.05
"""What p-values are judged by (see `studies.interval.LEVEL`)."""
_MOST_DIGITS = 9


def significant(value: float, digits: int = 3) -> str:
    """Rounded to `digits` significant digits, with thousands set apart by commas and no exponent above 1e-5.

    Example:
        >>> [significant(x) for x in (0, 0.012345, 3.14159, 123456, 99.96)]
        ['0', '0.0123', '3.14', '123,000', '100']
    """
    if not isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    if abs(value) < 1e-5:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa}e{int(exponent)}".replace("-", _MINUS)
    rounded = float(f"{value:.{digits - 1}e}")
    places = max(0, digits - 1 - floor(log10(abs(rounded))))
    return f"{rounded:,.{places}f}".replace("-", _MINUS)


def share(value: float, places: int = 1) -> str:
    """A share of one as a percentage.

    Example:
        >>> share(0.9731), share(1)
        ('97.3%', '100.0%')
    """
    return f"{100 * value:.{places}f}%".replace("-", _MINUS)


def score(value: float, metric: MetricRecord) -> str:
    """A value of the primary metric: a percentage where people read it so, else three significant digits."""
    return share(value) if metric.percent else significant(value)


def difference(value: float, metric: MetricRecord) -> str:
    r"""A difference of the primary metric, signed: "+2.1 points" where the metric is a percentage.

    Example:
        >>> difference(0.0213, MetricRecord(name="accuracy", higher_is_better=True, percent=True))
        '+2.1\xa0points'
    """
    sign = "+" if value > 0 else ""
    if metric.percent:
        return f"{sign}{100 * value:.1f}{SPACE}points".replace("-", _MINUS)
    return sign + significant(value)


def p_value(value: float, digits: int = 3) -> str:
    """A p-value, with as many more digits as keep it from reading as the 5% that it is judged by.

    Args:
        value: 0..1.
        digits: decimals otherwise.

    Example:
        >>> p_value(0.2, 2), p_value(0.0543, 2), p_value(0.0502), p_value(0.05)
        ('0.20', '0.054', '0.0502', '0.050')
    """
    text = f"{value:.{digits}f}"
    while float(text) == _JUDGED != value and digits < _MOST_DIGITS:
        digits += 1
        text = f"{value:.{digits}f}"
    return text


def interval(low: float, high: float, metric: MetricRecord) -> str:
    """The two ends of a difference's interval, in the unit of `difference`, the unit left out.

    Example:
        >>> interval(0.01, 0.0449, MetricRecord(name="accuracy", higher_is_better=True, percent=True))
        '+1.0 to +4.5'
    """
    ends = [difference(end, metric).removesuffix(f"{SPACE}points") for end in (low, high)]
    return " to ".join(ends)


def span(low: float, high: float, show: Callable[[float], str]) -> str:
    r"""From one value to another, as short as can be read.

    Example:
        >>> ascii(span(0.961, 0.985, share)), span(-1, 2, str)
        ("'96.1\\u201398.5%'", '-1 to 2')
    """
    ends = [show(low), show(high)]
    if low < 0:
        return " to ".join(ends)
    return f"{ends[0].removesuffix('%') if ends[1].endswith('%') else ends[0]}\N{EN DASH}{ends[1]}"


def count(value: float) -> str:
    r"""A count, short from a thousand on: K, M and B are thousands, millions and billions.

    Example:
        >>> count(640), count(11178), count(1_234_567), count(25_600_000_000)
        ('640', '11.2\xa0K', '1.23\xa0M', '25.6\xa0B')
    """
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= limit:
            return f"{significant(value / limit)}{SPACE}{unit}"
    return f"{value:,.0f}"


def size(value: float) -> str:
    r"""Bytes in powers of a thousand.

    Example:
        >>> size(812), size(78_400), size(1_234_567)
        ('812\xa0B', '78.4\xa0kB', '1.23\xa0MB')
    """
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= limit:
            return f"{significant(value / limit)}{SPACE}{unit}"
    return f"{value:,.0f}{SPACE}B"


def duration_ms(value: float) -> str:
    r"""Milliseconds, in the unit that needs no leading zeros.

    Example:
        >>> duration_ms(0.0391), duration_ms(2.5), duration_ms(2500)
        ('39.1\xa0µs', '2.50\xa0ms', '2.50\xa0s')
    """
    if abs(value) < 1:
        return f"{significant(1000 * value)}{SPACE}µs"
    if abs(value) < 1000:
        return f"{significant(value)}{SPACE}ms"
    return f"{significant(value / 1000)}{SPACE}s"


def duration_s(value: float) -> str:
    r"""Seconds, in minutes from two of them on.

    Example:
        >>> duration_s(3.14159), duration_s(754), duration_s(0.02)
        ('3.14\xa0s', '12.6\xa0min', '20.0\xa0ms')
    """
    if abs(value) < 1:
        return duration_ms(1000 * value)
    if abs(value) < 120:
        return f"{significant(value)}{SPACE}s"
    return f"{significant(value / 60)}{SPACE}min"


def times(ratio: float) -> str:
    """A ratio, to two digits below a hundred.

    Example:
        >>> times(23.41), times(1.04), times(1234)
        ('23\N{MULTIPLICATION SIGN}', '1.0\N{MULTIPLICATION SIGN}', '1,230\N{MULTIPLICATION SIGN}')
    """
    return significant(ratio, 2 if ratio < 100 else 3) + "\N{MULTIPLICATION SIGN}"


def ratio(teacher: float, value: float, smaller: str) -> str:
    """How a cost compares with the teacher's, in words.

    Example:
        >>> ratio(10, 10, "fewer"), ratio(10, 20, "faster").split()[1], ratio(20, 10, "faster").split()[1]
        ('the same', 'slower', 'faster')
    """
    larger = {"smaller": "larger", "fewer": "more", "faster": "slower"}[smaller]
    factor = teacher / value
    if 0.99 < factor < 1.01:
        return "the same"
    return f"{times(factor)} {smaller}" if factor > 1 else f"{times(1 / factor)} {larger}"
