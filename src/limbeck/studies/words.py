"""Words that all studies share."""

import re
from collections.abc import Mapping, Sequence

from limbeck.record import MetricRecord
from limbeck.reporting import numbers


def in_words(settings: Mapping[str, float | int | str | bool | None]) -> str:
    """What validation chose.

    Args:
        settings: of one candidate.

    Example:
        >>> in_words({"temperature": 2.0, "label_smoothing": 0}), in_words({})
        ('temperature 2, label smoothing 0', 'as given')
    """
    shown = [f"{name.replace('_', ' ')} {_value(value)}" for name, value in settings.items() if value is not None]
    return ", ".join(shown) if shown else "as given"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    Example:
        >>> listed(["dkd"]), listed(["dkd", "dist", "pkt"])
        ('dkd', 'dkd, dist and pkt')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def points(value: float, metric: MetricRecord) -> str:
    """The size of a difference, without a sign.

    Example:
        >>> points(-0.021, MetricRecord(name="accuracy", higher_is_better=True, percent=True))
        '2.1 points'
    """
    return numbers.difference(abs(value), metric).removeprefix("+").replace("\N{NO-BREAK SPACE}", " ")


def share(value: float) -> str:
    """A share in percent, with as many digits as it has.

    Example:
        >>> share(0.03), share(1), share(0.005)
        ('3%', '100%', '0.5%')
    """
    return f"{100 * value:.3g}%"


def file_name(name: str) -> str:
    """An arm's name in names of files.

    Example:
        >>> file_name("student, 3% of the labels")
        'student-3-of-the-labels'
    """
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")


def _value(value: float | str | bool) -> str:
    return str(value).lower() if isinstance(value, bool | str) else f"{value:g}"
