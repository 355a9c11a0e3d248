"""The chart library in the package is the one that the charts are written for."""

import importlib.util
from pathlib import Path

import altair as alt
import pytest

from limbeck.reporting import charts

FOLDER = Path(charts.__file__).with_name("vega")


def test_it_draws_the_vega_lite_that_altair_writes():
    kept = (FOLDER / "VERSION").read_text().strip()
    assert kept.split(".")[:2] == alt.SCHEMA_VERSION.split(".")[:2], "run tools/vega.py"


def test_it_comes_with_its_licence():
    assert "Redistribution and use in source and binary forms" in (FOLDER / "LICENSE").read_text()


def test_it_is_what_the_tool_makes():
    if importlib.util.find_spec("vl_convert") is None:
        pytest.skip("vl-convert-python is not installed: pip install 'limbeck[dev]'")
    path = Path(__file__).parents[2] / "tools" / "vega.py"
    spec = importlib.util.spec_from_file_location("vega_tool", path)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert charts.library() == tool.bundle()
