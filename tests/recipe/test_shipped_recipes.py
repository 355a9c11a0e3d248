"""Every recipe that ships with Limbeck, or is shown in its pages, is right."""

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from limbeck import recipe
from limbeck.recipe.text import parse

ROOT = Path(__file__).parents[2]
PLACES = ("src/limbeck/verbs", "examples", "docs", "benchmarks")
FILES = sorted(path for place in PLACES for path in (ROOT / place).rglob("*.yaml"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_recipe_is_right(path):
    found = recipe.load(path)
    assert found.name
    jsonschema.Draft202012Validator(recipe.json_schema()).validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_there_is_one_at_least():
    assert ROOT / "src/limbeck/verbs/demo.yaml" in FILES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_recipes_in_pages_are_right(page):
    for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        values = parse(block, page.name).values
        if isinstance(values, dict) and {"data", "teacher"} <= set(values):
            recipe.from_mapping(values)
