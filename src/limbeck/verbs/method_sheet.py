"""`sheet`: everything there is to know about one objective: its card, its settings, its signals, a recipe's line."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from limbeck.errors import InputError
from limbeck.objectives import METHODS, MethodCard
from limbeck.objectives.aliases import also_called, known_as, no_method
from limbeck.objectives.measured import MEASURED, Measured
from limbeck.objectives.support import SUPPORT, TAPS_INSTEAD, Support
from limbeck.recipe.settings import AUTO, SECTIONS
from limbeck.task import OBJECTIVES

_PLACES = {
    "str": {"student": "layer2", "teacher": "blocks.3"},
    "tuple[str, str]": {"student": "[layer1, layer2]", "teacher": "[blocks.1, blocks.3]"},
    "tuple[str, ...]": {"student": "[layer1, layer2, layer3]", "teacher": "[blocks.1, blocks.3, blocks.5]"},
    "int": {"classes": "10"},
}
"""Kind of an argument that must be given -> what stands for it in the recipe's line."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One argument of an objective's constructor, which is also its key in a recipe.

    Attributes:
        name: of both.
        kind: its type.
        default: as it would be written in Python; `None`: it must be given.
        meaning: in a line.
    """

    name: str
    kind: str
    default: str | None
    meaning: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One objective, described in full.

    Attributes:
        card: what is said about it by hand.
        also_called: what it is called elsewhere; recipes take its name alone.
        measured: what it cost in time and memory; `None`: nobody has measured it.
        python: its class.
        tasks: kinds of task for which it is defined.
        settings: its variants.
        signals: what comes of it for each signal that a guide may keep.
        taps_instead: whether it reads any signal's guide where its taps are named.
        recipe: a line that can stand in a recipe as it is, but for the paths of layers.
    """

    card: MethodCard
    also_called: tuple[str, ...]
    measured: Measured | None
    python: str
    tasks: tuple[str, ...]
    settings: tuple[Setting, ...]
    signals: Mapping[str, Support]
    taps_instead: bool
    recipe: str


def sheet(name: str) -> Sheet:
    """Everything about one objective.

    Args:
        name: as a recipe names it, or as it is called elsewhere where that is one method.

    Raises:
        InputError: there is none of that name.

    Example:
        >>> sheet("hint").recipe
        'objective: {method: hint, student: layer2, teacher: blocks.3}'
        >>> sheet("FitNets").card.name
        'hint'
    """
    meant = () if name in METHODS else known_as(name)
    if len(meant) == 1:
        (name,) = meant
    if name not in METHODS:
        raise InputError(f"methods: {no_method(name)}")
    module, _, attribute = METHODS[name].partition(":")
    cls = getattr(import_module(module), attribute)
    return Sheet(
        card=import_module(module).CARD,
        also_called=also_called(name),
        measured=MEASURED.get(name),
        python=f"limbeck.objectives.{attribute}",
        tasks=tuple(task for task, methods in OBJECTIVES.items() if name in methods),
        settings=_settings(cls),
        signals=SUPPORT[name],
        taps_instead=name in TAPS_INSTEAD,
        recipe=_line(name, cls),
    )


def _settings(cls: type) -> tuple[Setting, ...]:
    meanings = _meanings(inspect.getdoc(cls) or "")
    return tuple(
        Setting(
            name=each.name,
            kind=re.sub(r"\b(typing|collections\.abc)\.", "", inspect.formatannotation(each.annotation)),
            default=None if each.default is each.empty else repr(each.default),
            meaning=meanings[each.name],
        )
        for each in _parameters(cls)
    )


def _parameters(cls: type) -> list[inspect.Parameter]:
    """Without `*args, **kwargs`: what a class without a constructor of its own shows of its base's."""
    of_a_base = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each for each in inspect.signature(cls).parameters.values() if each.kind not in of_a_base]


def _meanings(doc: str) -> dict[str, str]:
    r"""Argument -> what its class's docstring says of it.

    Example:
        >>> _meanings("Does.\n\nArgs:\n    alpha: a\n        share.\n    beta: b.\n\nRaises:\n    Error: so.")
        {'alpha': 'a share.', 'beta': 'b.'}
    """
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", doc, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", section[1] if section else "", re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()) for name, text in found}


def _line(name: str, cls: type) -> str:
    given = {key: AUTO for section in SECTIONS if section.key == "method" for key in section.auto.get(name, ())}
    for each in _parameters(cls):
        if each.default is each.empty:
            kind = inspect.formatannotation(each.annotation)
            given[each.name] = _PLACES[kind][each.name]
    return f"objective: {{{', '.join([f'method: {name}', *(f'{key}: {value}' for key, value in given.items())])}}}"
