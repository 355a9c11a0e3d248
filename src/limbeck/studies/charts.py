"""The plots of studies, as Vega-Lite specifications without data. No text from a study enters a specification."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from limbeck.record import MetricRecord
from limbeck.reporting.charts import TABLE, finished, value_axis
from limbeck.studies.interval import LEVEL
from limbeck.studies.record import Comparison

if TYPE_CHECKING:
    import altair as alt

APART = 6
"""Pixels between lines of one plot."""
SYMBOL, LETTER = 40, 7.5
"""Pixels of a legend's symbol with its gaps, and of a letter, in a wide font."""
DASHES = ([1, 0], [8, 3], [3, 2], [10, 3, 2, 3])
TONES = ("good", "none", "bad", "unsure")


def tone(each: Comparison) -> str:
    """The colour of an outcome: what may be chance among several comparisons is unsure.

    Returns:
        "good", "none", "bad" or "unsure".
    """
    if each.outcome == "inconclusive":
        return "unsure"
    if each.outcome == "no-gain":
        return "none"
    if each.p_value_holm is not None and each.p_value_holm > LEVEL:
        return "unsure"
    return "good" if each.outcome.startswith("beats") else "bad"


def forest(metric: MetricRecord, *, margin: float, height: int) -> dict[str, Any]:
    """One row an arm: difference and interval, zero and margin marked.

    Args:
        metric: differences are in its unit, points where it is a percentage.
        margin: in the metric's own unit.
        height: pixels of the rows.
    """
    import altair as alt

    scale = 100 if metric.percent else 1
    unit = "points" if metric.percent else "in the metric's unit"
    side = "" if metric.higher_is_better else " (lower is better)"
    base = alt.Chart(alt.NamedData(TABLE)).encode(
        y=alt.Y("arm:N", sort=None, title=None, axis=alt.Axis(labelLimit=260, domain=False, ticks=False)),
        color=_tones(),
    )
    x = alt.X("difference:Q", title=f"difference, {unit}{side}", axis=alt.Axis(format=".3~f"))
    band = alt.Chart(alt.InlineData(values=[{"from": -margin * scale, "to": margin * scale}]))
    zone = band.mark_rect(color="var(--line-strong)", opacity=0.22).encode(x=alt.X("from:Q"), x2="to:Q")
    zero = alt.Chart(alt.InlineData(values=[{"at": 0}])).mark_rule(color="var(--line-strong)").encode(x="at:Q")
    bars = base.mark_bar(height=7, opacity=0.4, cornerRadius=3).encode(x=alt.X("low:Q"), x2="high:Q")
    dots = base.mark_point(size=90, filled=True, opacity=1).encode(
        x=x,
        tooltip=[
            alt.Tooltip("arm:N", title="arm"),
            alt.Tooltip("difference:Q", title="difference", format="+.2f"),
            alt.Tooltip("low:Q", title="from", format="+.2f"),
            alt.Tooltip("high:Q", title="to", format="+.2f"),
        ],
    )
    return finished(alt.layer(zone, zero, bars, dots), height=height)


def forest_row(each: Comparison, metric: MetricRecord) -> dict[str, Any]:
    """What `forest` draws of one comparison."""
    low, high = each.ci95 or (each.difference, each.difference)
    scale = 100 if metric.percent else 1
    return {
        "arm": each.arm, "difference": scale * each.difference, "low": scale * low, "high": scale * high,
        "tone": tone(each),
    }  # fmt: skip


def _tones() -> "alt.Color":
    import altair as alt

    return alt.Color("tone:N", scale=alt.Scale(domain=list(TONES), range=[f"var(--{t})" for t in TONES]), legend=None)


def lines(
    metric: MetricRecord,
    *,
    x: str,
    colours: Mapping[str, str],
    log: bool,
    level: float | None,
    whole: bool = False,
    apart: int = APART,
) -> dict[str, Any]:
    """Quality over something: a line for each of several sides, with intervals.

    Args:
        metric: what is drawn upwards.
        x: what the horizontal axis shows; a constant of ours.
        colours: line -> custom property of the style sheet; names are ours, and each has rows.
        log: whether the horizontal axis is logarithmic.
        level: a quality to mark across; `None`: none.
        whole: whether the horizontal axis counts.
        apart: pixels between lines, so that bars at one place do not cover one another; 0 where places differ.
    """
    import altair as alt

    axis = alt.Axis(format="d", tickMinStep=1, grid=False) if whole else _plain(log=log)
    scale = alt.Scale(type="log" if log else "linear", padding=24, nice=False)
    base = alt.Chart(alt.NamedData(TABLE)).encode(
        x=alt.X("x:Q", title=x, scale=scale, axis=axis), color=_colours(colours)
    )
    y = alt.Y("value:Q", title=None, axis=value_axis(metric), scale=alt.Scale(zero=False, nice=True))
    layers = []
    for place, line in enumerate(colours):
        own = base.transform_filter(alt.FieldEqualPredicate(field="line", equal=line))
        aside = {"xOffset": apart * (place - (len(colours) - 1) / 2)}
        layers += [
            own.mark_line(strokeWidth=2, **aside).encode(y=y),
            own.mark_rule(strokeWidth=2, opacity=0.5, **aside).encode(y=alt.Y("low:Q"), y2="high:Q"),
            own.mark_point(size=70, filled=True, opacity=1, **aside).encode(y=y, tooltip=_tips(metric, x)),
        ]
    if level is not None:
        mark = alt.Chart(alt.InlineData(values=[{"at": level}]))
        layers.insert(0, mark.mark_rule(color="var(--line-strong)", strokeDash=[4, 4]).encode(y="at:Q"))
    return finished(alt.layer(*layers), height=300)


def curves(metric: MetricRecord, *, colours: Mapping[str, str]) -> dict[str, Any]:
    """Validation over the optimiser steps, the mean over seeds of each arm.

    Args:
        metric: what is drawn upwards.
        colours: arm -> custom property of the style sheet; names are ours.
    """
    import altair as alt

    chart = alt.Chart(alt.NamedData(TABLE)).mark_line(strokeWidth=2)
    encoded = chart.encode(
        x=alt.X("x:Q", title="optimiser step", axis=alt.Axis(format="~s", grid=False)),
        y=alt.Y("value:Q", title=None, axis=value_axis(metric), scale=alt.Scale(zero=False, nice=True)),
        color=_colours(colours),
        strokeDash=_dashes(colours),
    )
    return finished(alt.layer(encoded), height=300)


def scatter(metric: MetricRecord, *, x: str, colours: Mapping[str, str]) -> dict[str, Any]:
    """One dot a model.

    Args:
        metric: what is drawn upwards.
        x: what the horizontal axis shows, a share; a constant of ours.
        colours: kind of model -> custom property of the style sheet.
    """
    import altair as alt

    base = alt.Chart(alt.NamedData(TABLE)).encode(
        x=alt.X("x:Q", title=x, axis=alt.Axis(format="~%"), scale=alt.Scale(zero=False, nice=True)),
        y=alt.Y("value:Q", title=None, axis=value_axis(metric), scale=alt.Scale(zero=False, nice=True)),
        color=_colours(colours),
        tooltip=_tips(metric, x),
    )
    return finished(alt.layer(base.mark_point(size=60, filled=True, opacity=0.75)), height=340)


def dots(metric: MetricRecord, *, x: str) -> dict[str, Any]:
    """One row an arm: a share with its interval.

    Args:
        metric: for its unit.
        x: what the horizontal axis shows; a constant of ours.
    """
    import altair as alt

    base = alt.Chart(alt.NamedData(TABLE)).encode(
        y=alt.Y("arm:N", sort=None, title=None, axis=alt.Axis(labelLimit=260, domain=False, ticks=False))
    )
    scale = alt.Scale(domain=[0, 1])
    bars = base.mark_bar(height=7, opacity=0.4, cornerRadius=3, color="var(--student)").encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q"
    )
    marks = base.mark_point(size=90, filled=True, opacity=1, color="var(--student)").encode(
        x=alt.X("value:Q", title=x, axis=value_axis(metric), scale=scale)
    )
    return finished(alt.layer(bars, marks), height=130)


def _colours(colours: Mapping[str, str]) -> "alt.Color":
    import altair as alt

    scale = alt.Scale(domain=list(colours), range=[f"var(--{colour})" for colour in colours.values()])
    return alt.Color("line:N", scale=scale, legend=_legend(list(colours)))


def _dashes(colours: Mapping[str, str]) -> "alt.StrokeDash":
    """Neighbours differ in more than colour; the legend is that of the colours."""
    import altair as alt

    scale = alt.Scale(domain=list(colours), range=[DASHES[place % len(DASHES)] for place in range(len(colours))])
    return alt.StrokeDash("line:N", scale=scale, legend=_legend(list(colours)))


def _legend(names: Sequence[str]) -> "alt.Legend":
    """Above the plot, in as many columns as there is room for."""
    import altair as alt

    cells = [SYMBOL + LETTER * len(name) for name in names]
    count, room = len(names), f"clamp(floor(width / {max(cells)}), 1, {len(names)})"
    return alt.Legend(
        title=None, orient="top", labelColor="var(--ink)", labelFontSize=12, labelLimit=400, symbolOpacity=1,
        symbolStrokeWidth=2, symbolSize=150, columnPadding=18, rowPadding=4,
        columns=alt.ExprRef(f"width < {sum(cells)} ? {room} : {count}"),
    )  # fmt: skip


def _plain(*, log: bool) -> "alt.Axis":
    import altair as alt

    plain = "format(datum.value, datum.value < 1000 ? '.3~g' : '~s')"
    if not log:
        return alt.Axis(labelExpr=plain, grid=False)
    leading = "floor(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)) + 0.5)"
    return alt.Axis(
        labelExpr=f"indexof([1, 2, 3, 5], {leading}) < 0 ? '' : {plain}", grid=False,
        labelSeparation=12,
    )  # fmt: skip


def _tips(metric: MetricRecord, x: str) -> "list[alt.Tooltip]":
    import altair as alt

    style = ".1%" if metric.percent else ".4g"
    return [
        alt.Tooltip("arm:N", title="arm"),
        alt.Tooltip("x:Q", title=x, format=".4~g"),
        alt.Tooltip("value:Q", title="mean", format=style),
    ]
