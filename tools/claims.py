"""Draws docs/claims/: the plots of finished studies, and prints the tables that docs/claims.md quotes.

Run: python tools/claims.py studies/claims/fashion-time ...        (needs vl-convert, extra `dev`)
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import vl_convert

from limbeck.studies import record as records
from limbeck.studies.kinds import named
from limbeck.studies.record import StudyRecord
from limbeck.studies.view import Figure, Table

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "claims"
STYLE = ROOT / "src" / "limbeck" / "reporting" / "templates" / "report.css"
WIDTH = 640


def colours() -> dict[str, str]:
    """Custom properties of the light scheme, the first ones in the style sheet."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", STYLE.read_text(encoding="utf-8")):
        found.setdefault(name, value)
    return found


def drawn(figure: Figure) -> str:
    """The figure as SVG that needs no style sheet."""
    spec: dict[str, Any] = {
        **figure.spec, "width": WIDTH,
        "datasets": {**figure.spec.get("datasets", {}), "table": [dict(row) for row in figure.rows]},
        "title": {"text": figure.title, "anchor": "start", "fontSize": 14}, "background": "#ffffff", "padding": 12,
    }  # fmt: skip
    text = json.dumps(spec)
    for name, value in colours().items():
        text = text.replace(f"var(--{name})", value)
    svg: str = vl_convert.vegalite_to_svg(text)
    return svg


def table(shown: Table) -> str:
    """As Markdown."""
    rows = [shown.head, ["---"] * len(shown.head), *shown.rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("\N{NO-BREAK SPACE}", " ") for cell in row) + " |" for row in rows
    )


def _written(folder: Path) -> None:
    study: StudyRecord = records.read(folder)
    view = named(study.kind).view(study)
    for place, figure in enumerate(view.figures):
        path = OUT / (f"{folder.name}.svg" if place == 0 else f"{folder.name}-{place + 1}.svg")
        path.write_text(drawn(figure) + "\n", encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
    print("\n".join([*study.answer, "", *(table(each) + "\n" for each in view.tables)]))


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for argument in sys.argv[1:]:
        _written(Path(argument))
