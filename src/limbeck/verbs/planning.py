"""From what a verb was given to a checked plan: the same for `distil` and `label`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.recipe.model import GIVEN

if TYPE_CHECKING:
    from limbeck.recipe import Recipe
    from limbeck.runs.given import Given
    from limbeck.runs.plan import Plan


def planned(
    recipe: Path | str | Mapping[str, Any] | None,
    given: "Given",
    overrides: Mapping[str, Any] | None,
    *,
    pupil: bool = True,
) -> "Plan":
    """Loads a recipe, with "given" for every object beside it, and opens and checks everything it names.

    Without a `pupil` the student is neither built nor checked: a guide needs none.
    """
    from limbeck.runs.plan import plan

    return plan(recipe_of(recipe, given, overrides), given, pupil=pupil)


def recipe_of(
    recipe: Path | str | Mapping[str, Any] | None, given: "Given", overrides: Mapping[str, Any] | None
) -> "Recipe":
    """Loads a recipe, with "given" for every object beside it; opens nothing that it names."""
    from limbeck.recipe import from_mapping, load

    beside = _beside(given)
    written = recipe.get("teacher") if isinstance(recipe, Mapping) else None
    if isinstance(written, Mapping) and len(written.get("ensemble") or ()) == len(beside.get("teacher.ensemble", ())):
        beside.pop("teacher.ensemble", None)  # what describes each teacher (its classes) stays
    changes = {**beside, **(overrides or {})}
    if isinstance(recipe, str | Path):
        return load(recipe, changes)
    return from_mapping(recipe or {}, overrides=changes)


def _beside(given: "Given") -> dict[str, Any]:
    """Recipe keys that say "given" for every object that was; what describes a teacher (its classes) stays."""
    changes: dict[str, Any] = {}
    for key in ("train", "test", "validation", "unlabelled"):
        if getattr(given, "data" if key == "train" else key) is not None:
            changes[f"data.{key}"] = GIVEN
    if given.teacher is not None:
        if isinstance(given.teacher, list | tuple):
            changes["teacher.ensemble"] = [{"from": GIVEN} for _ in given.teacher]
        else:
            changes |= {"teacher.from": GIVEN, "teacher.train": None, "teacher.weights": None}
    if given.student is not None:
        changes["student"] = GIVEN
    return changes


def smaller(batch_size: int) -> str:
    """What to do where a forward pass did not fit into memory.

    Example:
        >>> smaller(256)
        'close other programs and run the same command again, or set train.batch_size: 128 with another --out'
    """
    again = "close other programs and run the same command again"
    if batch_size == 1:
        return f"{again}, or take a machine with more memory"
    return f"{again}, or set train.batch_size: {batch_size // 2} with another --out"
