"""The charts, as Vega-Lite specifications without data: the page hands each its rows.

Colours are the style sheet's custom properties, so charts follow the light and the dark scheme by themselves.
No text from a run enters a specification: Vega-Lite makes expressions of titles.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.record import MetricRecord
from limbeck.reporting.roles import LABELS, ORDER

if TYPE_CHECKING:
    import altair as alt

_VEGA = Path(__file__).with_name("vega")

TABLE = "table"
"""The name under which the page hands a chart its rows."""

_SHAPES = {"teacher": "diamond", "student": "circle", "baseline": "square", "teacher-labels": "triangle-up"}
_DASHES = {"teacher": [7, 3], "student": [1, 0], "baseline": [3, 3], "teacher-labels": [9, 3, 2, 3]}
_NAMES = json.dumps(LABELS)
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
_AXIS = {
    "domainColor": "var(--line-strong)",
    "gridColor": "var(--line)",
    "tickColor": "var(--line-strong)",
    "labelColor": "var(--muted)",
    "titleColor": "var(--muted)",
    "labelFont": _FONT,
    "titleFont": _FONT,
    "titleFontWeight": "normal",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titlePadding": 10,
    "labelPadding": 6,
    "tickCount": 5,
}


def accuracy_against_size(metric: MetricRecord, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Quality over stored bytes: the mean of each role with its interval, its seeds as small dots.

    Args:
        metric: what is drawn.
        rows: `tables.sizes`; their roles and bytes are looked at, since a layer without rows would make Vega complain.
    """
    import altair as alt

    base = alt.Chart(alt.NamedData(TABLE)).transform_calculate(who=f"{_NAMES}[datum.role]")
    x = alt.X("bytes:Q", title="size as stored", scale=alt.Scale(type="log", padding=36), axis=_bytes_axis())
    y = {"title": None, "axis": value_axis(metric), "scale": alt.Scale(zero=False, nice=True, padding=8)}
    layers = []
    for role, place in _asides(rows).items():
        of_role = base.transform_filter(f"datum.role === '{role}'")
        mean, seeds = (of_role.transform_filter(f"datum.mean === {flag}") for flag in ("true", "false"))
        style = {"color": f"var(--{role})", "filled": True}
        if any(row["role"] == role and not row["mean"] for row in rows):
            dots = seeds.mark_point(size=16, opacity=0.6, xOffset=place + 8, **style)
            layers.append(dots.encode(x=x, y=alt.Y("value:Q", **y)))
        rule = mean.mark_rule(strokeWidth=2, opacity=0.55, color=style["color"], xOffset=place)
        layers.append(rule.encode(x=x, y=alt.Y("low:Q", **y), y2="high:Q"))
        mark = mean.mark_point(size=150, opacity=1, shape=_SHAPES[role], xOffset=place, **style)
        layers.append(mark.encode(x=x, y=alt.Y("value:Q", **y), tooltip=_tooltip(metric)))
    return finished(alt.layer(*layers), height=260)


def _asides(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Pixels that each role is moved sideways: students of one size would hide each other."""
    sizes = {row["role"]: row["bytes"] for row in rows if row["mean"]}

    def aside(role: str) -> float:
        same = [other for other in sizes if sizes[other] == sizes[role]]
        return 20 * (same.index(role) - (len(same) - 1) / 2)

    return {role: aside(role) for role in sizes}


def training_curve(metric: MetricRecord | None, *, share: bool = False) -> dict[str, Any]:
    """One number over the optimiser steps: thin lines for seeds, a bold one for their mean.

    Args:
        metric: the primary metric, when that is what is drawn; `None` for losses.
        share: whether it is a term's share, 0..1, read in percent.
    """
    import altair as alt

    axis = value_axis(metric) if metric else alt.Axis(format="~%" if share else "~g")
    base = alt.Chart(alt.NamedData(TABLE)).encode(
        x=alt.X("step:Q", title="optimiser step", axis=alt.Axis(format="~s", grid=False)),
        y=alt.Y("value:Q", title=None, axis=axis, scale=alt.Scale(zero=False, nice=True)),
        color=_colour(),
        detail="run:N",
    )
    thin = base.transform_filter("!datum.bold").mark_line(strokeWidth=1, opacity=0.4)
    bold = base.transform_filter("datum.bold").mark_line(strokeWidth=2.5).encode(strokeDash=_dash())
    return finished(alt.layer(thin, bold), height=260)


def reliability(lowest: float) -> dict[str, Any]:
    """Stated confidence against the share that was right; the diagonal is what an honest model would give.

    Args:
        lowest: smallest confidence or accuracy of any bin, 0..1; the scales begin at the tenth below it.
    """
    import altair as alt

    start = int(lowest * 10) / 10
    scale = alt.Scale(domain=[start, 1], nice=False)
    percent = alt.Axis(format=".0%")
    diagonal = alt.Chart(alt.InlineData(values=[{"at": start}, {"at": 1}]))
    honest = diagonal.mark_line(color="var(--line-strong)", strokeWidth=1.5).encode(
        x=alt.X("at:Q", scale=scale), y=alt.Y("at:Q", scale=scale)
    )
    base = alt.Chart(alt.NamedData(TABLE)).transform_calculate(who=f"{_NAMES}[datum.role]")
    encoded = base.encode(
        x=alt.X("confidence:Q", title="stated confidence", scale=scale, axis=percent),
        y=alt.Y("accuracy:Q", title="share that was right", scale=scale, axis=percent),
        color=_colour(),
    )
    lines = encoded.mark_line(strokeWidth=2).encode(strokeDash=_dash())
    points = encoded.mark_point(size=42, filled=True, opacity=1).encode(
        shape=alt.Shape("role:N", scale=alt.Scale(domain=list(ORDER), range=list(_SHAPES.values())), legend=None),
        tooltip=[
            alt.Tooltip("who:N", title="model"),
            alt.Tooltip("confidence:Q", title="stated confidence", format=".1%"),
            alt.Tooltip("accuracy:Q", title="was right", format=".1%"),
            alt.Tooltip("count:Q", title="examples"),
        ],
    )
    return finished(alt.layer(honest, lines, points), height=360)


def _colour() -> "alt.Color":
    import altair as alt

    return alt.Color("role:N", scale=alt.Scale(domain=list(ORDER), range=[f"var(--{r})" for r in ORDER]), legend=None)


def _dash() -> "alt.StrokeDash":
    import altair as alt

    scale = alt.Scale(domain=list(ORDER), range=[_DASHES[role] for role in ORDER])
    return alt.StrokeDash("role:N", scale=scale, legend=None)


def value_axis(metric: MetricRecord) -> "alt.Axis":
    """The axis of a metric, in percent where people read it so."""
    import altair as alt

    return alt.Axis(format="~%" if metric.percent else "~g")


def _bytes_axis() -> "alt.Axis":
    import altair as alt

    text = "replace(format(datum.value, '~s'), /([a-zA-Z]?)$/, '\\u00a0$1B')"
    leading = "floor(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)) + 0.5)"
    return alt.Axis(labelExpr=f"indexof([1, 2, 5], {leading}) < 0 ? '' : {text}", grid=False, labelSeparation=12)


def _tooltip(metric: MetricRecord) -> "Sequence[alt.Tooltip]":
    import altair as alt

    style = ".1%" if metric.percent else ".4g"
    return [
        alt.Tooltip("who:N", title="model"),
        alt.Tooltip("value:Q", title="mean", format=style),
        alt.Tooltip("low:Q", title="interval from", format=style),
        alt.Tooltip("high:Q", title="to", format=style),
        alt.Tooltip("bytes:Q", title="bytes", format=","),
        alt.Tooltip("params:Q", title="parameters", format=","),
    ]


def finished(chart: "alt.LayerChart", height: int) -> dict[str, Any]:
    """A chart in the page's style, as wide as its place.

    Args:
        chart: layers over `TABLE`.
        height: pixels.
    """
    sized = chart.properties(width="container", height=height, background="transparent")
    specification: dict[str, Any] = sized.configure_view(stroke=None).configure_axis(**_AXIS).to_dict()
    version = (_VEGA / "VERSION").read_text(encoding="utf-8").strip()
    return {**specification, "$schema": f"https://vega.github.io/schema/vega-lite/{version}.json"}


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that needs no network, now or when it runs."""
    return (_VEGA / "vega.js").read_text(encoding="utf-8")
