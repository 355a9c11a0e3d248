"""Settings of things that live elsewhere, read from their constructors: what a class takes is what a recipe may say.

A literal table here says which section names what, and where names are looked up; each package has one literal table
from names to dotted names. So a new objective is settable, documented and checked by being named once.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from limbeck.core.libraries import from_library
from limbeck.errors import InputError
from limbeck.recipe.problems import Problem, explain, unknown_key, unknown_name
from limbeck.recipe.text import Path

AUTO = "auto"
"""Validation chooses."""

_FROM_DATA = frozenset({"inputs", "outputs"})
"""Arguments that the data decide."""
_OF_A_BASE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
"""`*args, **kwargs`: what a class without a constructor of its own shows of its base's."""
_ITS_NAME = "kind"
"""Argument of which only one value is right: the name itself."""


@dataclass(frozen=True, slots=True)
class Section:
    """A place in a recipe where a name is looked up in a table.

    Attributes:
        path: where; `"*"` stands for each item of a list.
        key: the key that holds the name.
        table: "package:TABLE".
        own: keys beside the name and the thing's own settings.
        auto: setting names that may be `auto`, by name of the thing.
        libraries: whether names of timm and torchvision are right too, with any settings; the library judges those.
        needs_data: whether the constructor also takes what the data decide, so that it cannot be tried yet.
        tuned: whether validation chooses what is left out, so that nothing is filled in.
        unknown: "module:function" that says of a name that is in no table what was meant; "" says the nearest.
    """

    path: Path
    key: str
    table: str
    own: frozenset[str] = frozenset()
    auto: Mapping[str, frozenset[str]] = field(default_factory=dict)
    libraries: bool = False
    needs_data: bool = False
    tuned: bool = False
    unknown: str = ""

    def names(self) -> Mapping[str, str]:
        """Name -> dotted name."""
        table: Mapping[str, str] = loaded(self.table)
        return table


_NO_METHOD = "limbeck.objectives.aliases:no_method"

SECTIONS = (
    Section(
        ("student",),
        "family",
        "limbeck.students:FAMILIES",
        own=frozenset({"module", "output", "weights"}),
        libraries=True,
        needs_data=True,
    ),
    Section(
        ("lineage", "via", "*"),
        "family",
        "limbeck.students:FAMILIES",
        own=frozenset({"module", "output", "weights"}),
        libraries=True,
        needs_data=True,
    ),
    Section(
        ("teacher", "train"),
        "family",
        "limbeck.teachers:FAMILIES",
        own=frozenset({"epochs", "labels", "label_smoothing", "learning_rate", "folds"}),
        needs_data=True,
    ),
    Section(
        ("teacher", "ensemble", "*", "train"),
        "family",
        "limbeck.teachers:FAMILIES",
        own=frozenset({"epochs", "labels", "label_smoothing", "learning_rate", "folds"}),
        needs_data=True,
    ),
    Section(
        ("objective", "*"),
        "method",
        "limbeck.objectives:METHODS",
        own=frozenset({"weight"}),
        unknown=_NO_METHOD,
        auto={"soft-targets": frozenset({"temperature"})},
    ),
    Section(("objective", "*", "weight"), "kind", "limbeck.objectives:SCHEDULES"),
    Section(
        ("stages", "*", "objective", "*"),
        "method",
        "limbeck.objectives:METHODS",
        own=frozenset({"weight"}),
        unknown=_NO_METHOD,
    ),
    Section(("stages", "*", "objective", "*", "weight"), "kind", "limbeck.objectives:SCHEDULES"),
    Section(("data", "views", "ops", "*"), "op", "limbeck.data.views:VIEW_OPS"),
    Section(
        ("guide",),
        "signal",
        "limbeck.guide.spec:OUTPUTS",
        own=frozenset({"use", "from", "features", "max_gb", "any_view", "origin", "licence"}),
    ),
    Section(
        ("study", "methods", "*"),
        "method",
        "limbeck.objectives:METHODS",
        own=frozenset({"weight", "labels"}),
        tuned=True,
        unknown=_NO_METHOD,
    ),
    Section(("preset",), "name", "limbeck.recipe.presets:PRESETS"),
)


def resolve(values: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Checks every section that names something, and fills in the settings that were left out.

    Args:
        values: the recipe after shorthands were written out; left as it is.

    Returns:
        The recipe with complete settings, and what is wrong.
    """
    problems: list[Problem] = []
    for section in SECTIONS:
        values = _at(values, section.path, (), section, problems)
    return values, problems


def _at(values: Any, rest: Path, here: Path, section: Section, problems: list[Problem]) -> Any:  # noqa: ANN401
    """`values` with every place that `rest` leads to completed."""
    if not rest:
        return _complete(values, here, section, problems) if isinstance(values, dict) else values
    step, rest = rest[0], rest[1:]
    if step == "*":
        if not isinstance(values, list):
            return values
        return [_at(item, rest, (*here, number), section, problems) for number, item in enumerate(values)]
    if not (isinstance(values, dict) and step in values):
        return values
    return {**values, str(step): _at(values[str(step)], rest, (*here, step), section, problems)}


def _complete(values: dict[str, Any], here: Path, section: Section, problems: list[Problem]) -> dict[str, Any]:
    name = values.get(section.key)
    if name == AUTO and section.key == "kind":
        extra = set(values) - {section.key}
        problems += [unknown_key((*here, key), (section.key,)) for key in sorted(extra)]
        return {section.key: AUTO}
    own = {key: value for key, value in values.items() if key == section.key or key in section.own}
    given = {key: value for key, value in values.items() if key not in own}
    if not isinstance(name, str):
        right = (section.key, *sorted(section.own))
        problems += [unknown_key((*here, key), right) for key in given]
        return own
    if section.libraries and from_library(name):
        return values
    if name not in section.names():
        where = (*here, section.key)
        problems.append(
            Problem(where, loaded(section.unknown)(name))
            if section.unknown
            else unknown_name(where, name, sorted(section.names()))
        )
        return own
    settings, found = _settings(section, name, given, here)
    problems += found
    if section.tuned:
        return values
    return {**own, **settings}


def _settings(section: Section, name: str, given: dict[str, Any], here: Path) -> tuple[dict[str, Any], list[Problem]]:
    """The complete settings of one named thing; those it does not take are problems."""
    model = settings_model(section.names()[name])
    right = (section.key, *model.model_fields, *sorted(section.own))
    problems = [unknown_key((*here, key), right) for key in given if key not in model.model_fields]
    chosen = {key: AUTO for key in section.auto.get(name, ()) if given.get(key) == AUTO}
    try:
        checked = model.model_validate({k: v for k, v in given.items() if k in model.model_fields and k not in chosen})
    except ValidationError as error:
        return {}, problems + explain(error, here)
    settings = checked.model_dump()
    if not (section.needs_data or section.tuned):
        problems += _tried(section.names()[name], settings, here)
    return {**settings, **chosen}, problems


def _tried(where: str, settings: Mapping[str, Any], here: Path) -> list[Problem]:
    """Ranges are the constructor's business: it is called once, and what it refuses is a problem here."""
    try:
        loaded(where)(**settings)
    except InputError as error:
        parts = str(error).split(": ")
        for number, part in enumerate(parts[:-1]):
            key = part.rpartition(".")[2]
            if key in settings or key == here[-1]:
                path = (*here, key) if key in settings else here
                return [Problem(path, ": ".join(parts[number + 1 :]))]
        return [Problem(here, str(error))]
    return []


@cache
def settings_model(where: str) -> type[BaseModel]:
    """The settings of a callable, as a strict model: one field a keyword argument, except what the data decide.

    Args:
        where: "module:name" of a class or function.

    Example:
        >>> sorted(settings_model("limbeck.objectives.schedule:First").model_fields)
        ['end', 'share', 'value']
    """
    target = loaded(where)
    hints = get_type_hints(target.__init__ if inspect.isclass(target) else target)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(target).parameters.items():
        if name in _FROM_DATA or name == _ITS_NAME or parameter.kind in _OF_A_BASE:
            continue
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        loose = Field(default, strict=False) if "tuple[" in str(hints[name]) else Field(default)
        fields[name] = (hints[name], loose)  # a recipe's lists fill tuples; their items stay strict
    config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
    model: type[BaseModel] = create_model(where.partition(":")[2], __config__=config, **fields)
    return model


def loaded(where: str) -> Any:  # noqa: ANN401 - a class, a function or a table
    """What stands at "module:name"."""
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)
