"""The verdict and the comparisons that explain it, placed on one common scale."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, log10

from limbeck.record import MetricRecord, Outcome, Record, Verdict
from limbeck.reporting import numbers
from limbeck.reporting.inputs import AbsentError
from limbeck.reporting.roles import LABELS

TONES: Mapping[Outcome, str] = {
    "beats": "good",
    "beats-by-less-than-matters": "good",
    "no-gain": "none",
    "worse": "bad",
    "worse-by-less-than-matters": "bad",
    "inconclusive": "unsure",
}
"""The colour of an outcome, by its name in the style sheet."""

_WORDS: Mapping[Outcome, str] = {
    "beats": "▲ Beats",
    "beats-by-less-than-matters": "△ Beats, by less than matters",
    "no-gain": "= No gain",
    "worse": "▼ Worse",
    "worse-by-less-than-matters": "▽ Worse, by less than matters",
    "inconclusive": "? Inconclusive",
}


@dataclass(frozen=True)
class Row:
    """One comparison; places are percentages of the drawing's width."""

    title: str
    outcome: str
    tone: str
    sentence: str
    difference: str
    interval: str
    facts: str
    dot: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Drawing:
    """All comparisons on one scale.

    Attributes:
        rows: the verdict first.
        zero: place of no difference.
        margin: left and right end of the band within which differences do not matter.
        margin_text: the margin in words.
        ticks: place and text of each mark of the scale.
        unit: of the scale.
        sides: what it means to lie left and right of zero.
    """

    rows: list[Row]
    zero: float
    margin: tuple[float, float]
    margin_text: str
    ticks: list[tuple[float, str]]
    unit: str
    sides: tuple[str, str]


def drawing(record: Record) -> Drawing:
    """Places every comparison of the run on one scale.

    Raises:
        AbsentError: the run compared nothing.
    """
    if record.verdict is None:
        raise AbsentError("this run trained nothing to compare the student with, so there is no verdict")
    verdicts = [record.verdict, *record.comparisons]
    metric, margin = record.metric, record.verdict.margin
    ends = [0.0, margin, -margin, *(v.difference for v in verdicts), *(e for v in verdicts for e in v.ci95 or ())]
    room = (max(ends) - min(ends) or 0.01) * 0.06
    low, high = min(ends) - room, max(ends) + room

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    sides = ("worse", "better") if metric.higher_is_better else ("better", "worse")
    return Drawing(
        rows=[_row(verdict, metric, place(verdict.difference), _places(verdict, low, high)) for verdict in verdicts],
        zero=place(0),
        margin=(place(-margin), place(margin)),
        margin_text=numbers.difference(margin, metric).removeprefix("+"),
        ticks=[(place(tick), _tick(tick, metric)) for tick in ticks(low, high)],
        unit=f"points of {metric.name}" if metric.percent else metric.name,
        sides=sides,
    )


def ticks(low: float, high: float) -> list[float]:
    """Round numbers within `low < high`, two to seven of them, zero among them where it lies within.

    Example:
        >>> ticks(-0.012, 0.041)
        [-0.01, 0.0, 0.01, 0.02, 0.03, 0.04]
    """
    rough = (high - low) / 6
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if rough <= power * factor * 1.0001)
    return [round(i * step, 12) + 0.0 for i in range(ceil(low / step), floor(high / step) + 1)]


def _places(verdict: Verdict, low: float, high: float) -> tuple[float, float] | None:
    if verdict.ci95 is None:
        return None
    start, end = (round(100 * (value - low) / (high - low), 2) for value in verdict.ci95)
    return start, end


def _row(verdict: Verdict, metric: MetricRecord, dot: float, ends: tuple[float, float] | None) -> Row:
    return Row(
        title=f"{LABELS[verdict.arm]} against {LABELS[verdict.against].lower()}",
        outcome=_WORDS[verdict.outcome],
        tone=TONES[verdict.outcome],
        sentence=verdict.sentence,
        difference=numbers.difference(verdict.difference, metric),
        interval=numbers.interval(*verdict.ci95, metric) if verdict.ci95 else "no interval",
        facts=_facts(verdict),
        dot=dot,
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
    )


def _facts(verdict: Verdict) -> str:
    facts = [f"{verdict.seeds} seeds" if verdict.seeds != 1 else "1 seed"]
    if verdict.p_value is not None:
        facts.append(_p("p", verdict.p_value))
    if verdict.p_value_holm is not None:
        facts.append(_p("p", verdict.p_value_holm) + " after Holm")
    if verdict.seeds_needed is not None:
        facts.append(f"about {verdict.seeds_needed} seeds would settle it")
    return " · ".join(facts)


def _p(name: str, value: float) -> str:
    return f"{name} < 0.001" if value < 0.001 else f"{name} = {numbers.p_value(value)}"


def _tick(value: float, metric: MetricRecord) -> str:
    text = f"{100 * value:+.4g}" if metric.percent else f"{value:+.4g}"
    return "0" if value == 0 else text.replace("-", "\N{MINUS SIGN}")
