"""The keys that a recipe may have, and what a validation error says about keys it may not."""

from typing import Any

from pydantic import BaseModel, ValidationError

from limbeck.recipe.model import Recipe
from limbeck.recipe.problems import Problem, explain, unknown_key
from limbeck.recipe.text import Path


def explained(error: ValidationError) -> list[Problem]:
    """All findings about a whole recipe in words, unknown keys with the nearest right one."""
    unknown = [detail["loc"] for detail in error.errors(include_url=False) if detail["type"] == "extra_forbidden"]
    elsewhere = all_keys()
    return explain(error) + [unknown_key(path, _keys_beside(path), elsewhere) for path in unknown]


def _keys_beside(path: Path) -> list[str]:
    model: type[BaseModel] | None = Recipe
    for part in path[:-1]:
        model = _inner(model, part) if model is not None and isinstance(part, str) else model
    return _names(model) if model is not None else []


def all_keys(model: type[BaseModel] = Recipe, at: Path = ()) -> list[Path]:
    """Paths of all keys that a recipe may have, apart from the settings of named things."""
    found: list[Path] = []
    for name in _names(model):
        found.append((*at, name))
        inner = _inner(model, name)
        if inner is not None:
            found += all_keys(inner, (*at, name))
    return found


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _inner(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The model that a key holds, seen through `| None` and lists."""
    field = next((field for key, field in model.model_fields.items() if (field.alias or key) == name), None)
    pending: list[Any] = [field.annotation] if field is not None else []
    while pending:
        kind = pending.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
        pending += getattr(kind, "__args__", ())
    return None
