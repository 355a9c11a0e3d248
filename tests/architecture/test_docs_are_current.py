"""The pages of docs/ that are made from code are what the code makes now."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("limbeck_docs", ROOT / "tools" / "docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


def test_made_pages_are_current(pages):
    stale = [name for name, text in pages.items() if (ROOT / "docs" / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run make docs and look at what changed"


def test_nothing_is_left_undescribed(pages):
    rows = [line for line in pages["recipe.md"].splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.rstrip().endswith("| |")] == []
