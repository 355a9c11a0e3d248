"""The public surface, frozen: a name, an argument or a flag that appears or vanishes fails here first."""

import inspect

import pytest
import typer

import limbeck as lk
from limbeck.cli.app import app

NAMES = [
    "HardLabels", "Run", "SoftTargets", "__version__", "check", "demo", "devices", "distil", "export", "guide_info",
    "import_guide", "init", "label", "measure", "methods", "objectives", "predict", "report", "study", "taps",
    "verify_guide",
]  # fmt: skip

VERBS = {
    "check": ["recipe", "overrides", "trust_code"],
    "demo": ["out", "progress"],
    "devices": [],
    "distil": [
        "recipe", "teacher", "student", "data", "test", "validation", "unlabelled", "objective", "out", "overrides",
        "trust_code", "progress",
    ],
    "export": ["bundle", "to", "out", "threads", "timed"],
    "guide_info": ["guide"],
    "import_guide": ["file", "origin", "out", "data", "recipe", "licence", "key", "progress"],
    "init": ["data", "out", "label"],
    "label": [
        "recipe", "out", "teacher", "data", "test", "validation", "unlabelled", "overrides", "engine", "workers",
        "trust_code", "progress",
    ],
    "measure": ["file", "threads", "batch", "warmup", "repeats", "min_seconds"],
    "methods": [],
    "predict": ["bundle", "inputs", "out", "top", "strict", "stdin", "batch", "threads", "progress"],
    "report": ["run", "open_browser"],
    "study": [
        "kind", "recipe", "out", "methods", "shares", "without", "teachers", "generations", "teacher", "student",
        "data", "test", "validation", "unlabelled", "overrides", "trust_code", "progress",
    ],
    "taps": ["model", "size", "inputs", "overrides", "trust_code"],
    "verify_guide": ["guide", "recipe", "sample", "trust_code", "progress"],
}  # fmt: skip

COMMANDS = {
    "check": ["recipe", "--set", "--trust-code", "--json"],
    "demo": ["--out"],
    "devices": ["--json"],
    "distil": ["recipe", "--out", "--set", "--trust-code", "--seeds"],
    "distill": ["recipe", "--out", "--set", "--trust-code", "--seeds"],
    "export": ["bundle", "--to", "--out", "--json"],
    "guide import": ["file", "--origin", "--out", "--licence", "--key", "--data", "--recipe"],
    "guide info": ["folder", "--json"],
    "guide verify": ["folder", "--recipe", "--sample", "--trust-code", "--json"],
    "init": ["--data", "--out", "--label"],
    "label": ["recipe", "--out", "--set", "--engine", "--workers", "--trust-code"],
    "measure": ["file", "--threads", "--batch", "--json"],
    "methods": ["name", "--full", "--json"],
    "predict": [
        "bundle",
        "files",
        "--out",
        "--json",
        "--jsonl",
        "--csv",
        "--top",
        "--strict",
        "--stdin",
        "--batch",
        "--threads",
    ],
    "report": ["run", "--open"],
    "study": [
        "kind",
        "recipe",
        "--out",
        "--set",
        "--seeds",
        "--methods",
        "--shares",
        "--without",
        "--teachers",
        "--generations",
        "--trust-code",
        "--json",
    ],
    "taps": ["model", "--size", "--input", "--depth", "--set", "--trust-code", "--json"],
}


def test_names():
    assert lk.__all__ == NAMES
    assert dir(lk) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_and_says_what_it_is(name):
    value = getattr(lk, name)
    assert name == "__version__" or inspect.getdoc(value)


def test_no_other_name_is():
    with pytest.raises(AttributeError, match="no attribute 'distill'"):
        lk.distill  # noqa: B018


@pytest.mark.parametrize("name", VERBS)
def test_verbs_take_these_arguments_by_name_only(name):
    parameters = inspect.signature(getattr(lk, name)).parameters.values()
    assert [parameter.name for parameter in parameters] == VERBS[name]
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters)


def test_every_command_is_a_verb_and_every_verb_a_command():
    commands = dict(typer.main.get_command(app).commands)
    group = commands.pop("guide").commands
    commands |= {f"guide {name}": command for name, command in group.items()}
    verbs = {"guide import": "import_guide", "guide info": "guide_info", "guide verify": "verify_guide"}
    assert {verbs.get(name, name) for name in commands} - {"distill"} == set(VERBS)
    assert {name: flags(command) for name, command in commands.items()} == COMMANDS


def flags(command):
    return [option.opts[0] if option.opts[0].startswith("-") else option.name for option in command.params]
