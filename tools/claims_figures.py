"""Plots of kept records as SVG files that need no style sheet, with room for the reader's own fonts."""

import json
import re
from pathlib import Path
from typing import Any

import vl_convert

from limbeck.studies.kinds import KINDS, named
from limbeck.studies.record import StudyRecord
from limbeck.studies.view import Figure, View

STYLE = Path(__file__).parents[1] / "src" / "limbeck" / "reporting" / "templates" / "report.css"
WIDTH = 640
MEASURED = "DejaVu Sans"
"""As wide as any font of the stack, and what room is set aside for."""
SHOWN = "Arial, Helvetica, 'Liberation Sans', Roboto, 'DejaVu Sans', Verdana, sans-serif"
FONTS = re.compile(r"system-ui[^\"]*?sans-serif")


def draw(name: str, study: StudyRecord, folder: Path) -> list[Path]:
    """Writes NAME.svg, NAME-2.svg, ...; those that are as they were are not touched.

    Returns:
        The files.
    """
    paths = []
    for place, figure in enumerate(view(study).figures):
        path = folder / (f"{name}.svg" if place == 0 else f"{name}-{place + 1}.svg")
        text = drawn(figure) + "\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def view(study: StudyRecord) -> View:
    """Plots and tables of its kind; runs beside one another have none."""
    return named(study.kind).view(study) if study.kind in KINDS else View((), ())


def specification(figure: Figure) -> dict[str, Any]:
    """The figure with its data, a fixed width and plain colours."""
    spec: dict[str, Any] = {
        **figure.spec, "width": WIDTH,
        "datasets": {**figure.spec.get("datasets", {}), "table": [dict(row) for row in figure.rows]},
        "title": {"text": figure.title, "anchor": "start", "fontSize": 14, "offset": 14}, "background": "#ffffff",
        "padding": 16, "autosize": {"type": "pad", "contains": "padding"},
    }  # fmt: skip
    spec["config"] = {**spec.get("config", {}), "font": MEASURED}
    text = FONTS.sub(MEASURED, json.dumps(spec))
    for name, value in colours().items():
        text = text.replace(f"var(--{name})", value)
    made: dict[str, Any] = json.loads(text)
    return made


def drawn(figure: Figure) -> str:
    """The figure as SVG."""
    svg: str = vl_convert.vegalite_to_svg(specification(figure))
    return svg.replace(f'font-family="{MEASURED}"', f'font-family="{SHOWN}"')


def colours() -> dict[str, str]:
    """Custom properties of the light scheme, the first ones in the style sheet."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", STYLE.read_text(encoding="utf-8")):
        found.setdefault(name, value)
    return found
