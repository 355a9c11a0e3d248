"""The written pages name files, commands, flags and recipe keys that there are."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from limbeck.cli.app import app
from limbeck.recipe.keys import all_keys
from limbeck.recipe.settings import SECTIONS

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")),
]  # fmt: skip
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
KEY = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)(?:: [^`]*)?`")
OPEN = {tuple(str(step) for step in section.path if step != "*") for section in SECTIONS}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@every_page
def test_links_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def commands(page):
    """Lines of console blocks that call limbeck, without the prompt and the comment."""
    for block in CONSOLE.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True) if line.startswith("$ ") else []
            if "limbeck" in words and words[0] in ("limbeck", "torchrun"):
                yield words[words.index("limbeck") + 1 :]


@every_page
def test_commands_take_these_arguments(page):
    """Parsed by the command line itself; nothing is run."""
    for words in commands(page):
        command = typer.main.get_command(app)
        while hasattr(command, "commands") and words and not words[0].startswith("-"):
            name = words.pop(0)
            assert name in command.commands, f"{page.name}: limbeck {name}"
            command = command.commands[name]
        if "--help" not in words:
            command.make_context(command.name, words)


@every_page
def test_keys_are_those_of_recipes(page):
    known = {tuple(key) for key in all_keys()}
    sections = {key[0] for key in known}
    for name in KEY.findall(page.read_text(encoding="utf-8")):
        path = tuple(name.split("."))
        if path[0] in sections and not name.endswith((".npy", ".npz", ".md", ".json", ".html", ".yaml", ".onnx")):
            assert path in known or path[:-1] in OPEN, f"{page.name}: {name} is no key of a recipe"
