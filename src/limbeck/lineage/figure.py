"""The plot of a chain, as a Vega-Lite specification without data. No text from a chain enters it."""

from typing import Any

from limbeck.record import MetricRecord
from limbeck.reporting.charts import TABLE, finished, value_axis

LINES = {"on validation": "var(--baseline)", "on test": "var(--student)"}
"""What is drawn -> its colour."""


def over_links(metric: MetricRecord, noun: str) -> dict[str, Any]:
    """Quality link by link, the first teacher's before them: a line a split, its intervals side by side.

    Args:
        metric: what is drawn upwards.
        noun: what a link is called; a constant of ours.
    """
    import altair as alt

    legend = alt.Legend(title=None, orient="top", labelColor="var(--ink)", labelFontSize=12, symbolOpacity=1)
    base = alt.Chart(alt.NamedData(TABLE)).encode(
        x=alt.X(
            "link:N", sort=None, title=noun, axis=alt.Axis(labelAngle=0, grid=False), scale=alt.Scale(paddingInner=0.8)
        ),
        xOffset="line:N",
        color=alt.Color("line:N", scale=alt.Scale(domain=list(LINES), range=list(LINES.values())), legend=legend),
    )
    style = ".1%" if metric.percent else ".4g"
    tips = [
        alt.Tooltip("link:N", title=noun), alt.Tooltip("line:N", title="split"),
        alt.Tooltip("value:Q", title="mean", format=style), alt.Tooltip("low:Q", title="interval from", format=style),
        alt.Tooltip("high:Q", title="to", format=style),
    ]  # fmt: skip
    y = alt.Y("value:Q", title=None, axis=value_axis(metric), scale=alt.Scale(zero=False, nice=True))
    curve = base.mark_line(strokeWidth=2, opacity=0.7).encode(y=y)
    bars = base.mark_rule(strokeWidth=2, opacity=0.5).encode(y=alt.Y("low:Q"), y2="high:Q")
    dots = base.mark_point(size=80, filled=True, opacity=1).encode(y=y, tooltip=tips)
    return finished(alt.layer(curve, bars, dots), height=300)
