"""`sheet`: a page about several runs, from a template that extends `several.html`, and a `View`."""

from collections.abc import Mapping
from typing import Any

from limbeck.reporting import charts
from limbeck.reporting.page import page
from limbeck.reporting.render import when
from limbeck.studies.view import View


def sheet(template: str, view: View, values: Mapping[str, Any], *, created: str) -> str:
    """One HTML page that needs no network.

    Args:
        template: extends `several.html`.
        view: plots and tables.
        values: what else the template names: `told`, the record.
        created: when it was measured, ISO 8601.
    """
    shown = {f"figure-{place}": figure for place, figure in enumerate(view.figures)}
    data = {
        "charts": {
            "specs": {name: dict(figure.spec) for name, figure in shown.items()},
            "tables": {name: [dict(row) for row in figure.rows] for name, figure in shown.items()},
        },
        "soft": None,
    }
    named = {**values, "when": when(created), "figures": shown, "tables": view.tables}
    return page(template, named, data=data, library=charts.library() if shown else "")
