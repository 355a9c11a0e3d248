"""Writes the report's chart library, `src/limbeck/reporting/vega/vega.js`: Vega, Vega-Lite, Vega-Embed in one script.

It is kept in the package because the tool that makes it takes 84 MB and two seconds, and every user would pay for both.
Run it after altair's Vega-Lite changes its minor version; it needs vl-convert-python (extra `dev`).
"""

from pathlib import Path

import altair as alt
import vl_convert

FOLDER = Path(__file__).parents[1] / "src" / "limbeck" / "reporting" / "vega"


def bundle() -> str:
    """The script for the Vega-Lite that this altair writes."""
    version = ".".join(alt.SCHEMA_VERSION.split(".")[:2])
    script: str = vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;", vl_version=version)
    return script


if __name__ == "__main__":
    (FOLDER / "vega.js").write_text(bundle(), encoding="utf-8")
    (FOLDER / "VERSION").write_text(alt.SCHEMA_VERSION + "\n", encoding="utf-8")
