"""From a file, a mapping and `--set` to one checked `Recipe`, and back to text."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from limbeck.errors import RecipeError
from limbeck.recipe.contradictions import contradictions
from limbeck.recipe.keys import explained
from limbeck.recipe.model import Recipe
from limbeck.recipe.overrides import overridden, override_path, plain
from limbeck.recipe.paths import absolute
from limbeck.recipe.problems import Origin, Problem, came, refuse
from limbeck.recipe.settings import resolve
from limbeck.recipe.shorthand import expand
from limbeck.recipe.text import Parsed, emit, parse

MAX_BYTES = 1 << 20
"""No recipe is longer than a mebibyte."""

_TRUST = "trust is not a setting: remove the key, and pass --trust-code where you run it"


def load(path: Path | str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Reads and checks a recipe file.

    Args:
        path: the file; relative paths inside it are relative to its folder.
        overrides: dotted key -> value, as in `{"train.epochs": 5}`.

    Raises:
        RecipeError: everything that is wrong, in one line, with line and column of each.
    """
    path = Path(path)
    parsed = parse(_text(path), path.name)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:64] or "recipe"
    return _checked(parsed, path.name, overrides or {}, name=stem, folder=path.parent)


def from_mapping(values: Mapping[str, Any], *, name: str = "run", overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Checks a recipe given as Python values.

    Args:
        values: the keys of a recipe file; relative paths are relative to the working directory.
        name: of the run, where the recipe gives none.
        overrides: dotted key -> value.

    Raises:
        RecipeError: everything that is wrong, in one line.

    Example:
        >>> recipe = from_mapping({"data": {"train": "digits"}, "teacher": {"train": {"width": 8}}})
        >>> recipe.teacher.train.settings["width"], recipe.train.epochs
        (8, 30)
    """
    return _checked(Parsed(plain(values), {}), "recipe", overrides or {}, name=name, folder=Path())


def dump(recipe: Recipe) -> str:
    """The resolved recipe as YAML: every setting stands in it, and `load` gives the same recipe back."""
    return emit(recipe.model_dump(mode="json", by_alias=True))


def _text(path: Path) -> str:
    try:
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise RecipeError(f"{path}: longer than {MAX_BYTES} bytes, so it is no recipe")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise RecipeError(
            f"{path}: there is no such file; `limbeck init --data DATA --out {path}` writes one"
        ) from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: byte {error.start} is no UTF-8; save the file as plain UTF-8 text") from error
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error


def _checked(parsed: Parsed, origin: str, overrides: Mapping[str, Any], *, name: str, folder: Path) -> Recipe:
    if not isinstance(parsed.values, dict):
        raise RecipeError(f"{origin}: got {came(parsed.values)}, expected settings such as data: {{train: digits}}")
    full, shown = expand(overridden(parsed.values, overrides))
    where = Origin(origin, parsed.places, shown, frozenset(map(override_path, overrides)))
    problems = [Problem(("trust_code",), _TRUST)] if full.pop("trust_code", None) is not None else []
    full.setdefault("name", name)
    full, found = resolve(absolute(full, folder))
    problems += found
    try:
        recipe = Recipe.model_validate(full)
    except ValidationError as error:
        refuse(problems + explained(error), where)
    problems = problems or contradictions(recipe)
    if problems:
        refuse(problems, where)
    return recipe
