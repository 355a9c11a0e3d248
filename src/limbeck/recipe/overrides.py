"""`--set train.epochs=5`: single settings laid over a recipe before it is judged."""

import os
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from limbeck.core.libraries import from_library
from limbeck.errors import RecipeError
from limbeck.recipe.model import GIVEN
from limbeck.recipe.text import Path

WORDS = {"teacher": "from", "device": "name"}
"""Sections that may be a single word, and the key that the word stands for (a student's: `student_word`)."""


def student_word(word: str) -> str:
    """The key that `student: word` stands for.

    Example:
        >>> student_word("given"), student_word("my_models:make"), student_word("timm:resnet18"), student_word("mlp")
        ('module', 'module', 'family', 'family')
    """
    return "module" if word == GIVEN or (":" in word and not from_library(word)) else "family"


def overridden(values: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The values with each dotted key set; mappings on the way are made.

    Args:
        values: as the user wrote them; left as they are.
        overrides: `{"train.epochs": 5, "objective.0.temperature": 2}`; numbers walk into lists.

    Raises:
        RecipeError: a key leads through something that is no mapping.

    Example:
        >>> overridden({"train": {"epochs": 30}}, {"train.epochs": 5, "tune.trials": 0})
        {'train': {'epochs': 5}, 'tune': {'trials': 0}}
    """
    values = deepcopy(values)
    for key, value in overrides.items():
        *way, last = key.split(".")
        inner: Any = values
        for step in way:
            inner = _step(inner, step, key)
        if isinstance(inner, list) and last.isdigit() and int(last) < len(inner):
            inner[int(last)] = plain(value)
        elif isinstance(inner, dict) and last:
            inner[last] = plain(value)
        else:
            raise RecipeError(f"--set {key}: the recipe has no such place; expected section.key=value")
    return values


def override_path(key: str) -> Path:
    """The path that a dotted key names.

    Example:
        >>> override_path("objective.0.temperature")
        ('objective', 0, 'temperature')
    """
    return tuple(int(step) if step.isdigit() else step for step in key.split("."))


def _step(inner: Any, step: str, key: str) -> Any:  # noqa: ANN401 - one level of plain values
    if isinstance(inner, list) and step.isdigit() and int(step) < len(inner):
        return inner[int(step)]
    if isinstance(inner, dict) and step:
        if inner.get(step) is None:
            inner[step] = {}
        if isinstance(inner[step], str) and (step in WORDS or step == "student"):
            inner[step] = {WORDS.get(step) or student_word(inner[step]): inner[step]}
        return inner[step]
    raise RecipeError(f"--set {key}: the recipe has no such place; expected section.key=value")


def plain(value: Any) -> Any:  # noqa: ANN401 - any plain value
    """Python's richer types as a recipe's: mappings are dicts, tuples lists, paths text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, os.PathLike) else deepcopy(value)
