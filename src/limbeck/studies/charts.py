"""The plots of studies, as Vega-Lite specifications without data. No text from a study enters a specification."""

from typing import TYPE_CHECKING, Any

from limbeck.record import MetricRecord
from limbeck.reporting.charts import TABLE, finished
from limbeck.studies.interval import LEVEL
from limbeck.studies.record import Comparison

if TYPE_CHECKING:
    import altair as alt

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


def _tones() -> "alt.Color":
    import altair as alt

    return alt.Color("tone:N", scale=alt.Scale(domain=list(TONES), range=[f"var(--{t})" for t in TONES]), legend=None)
