"""Relative paths of a recipe, made to hold wherever the resolved recipe is put."""

import os
from pathlib import Path
from typing import Any

from limbeck.recipe.model import GIVEN

BUILT_IN_DATA = ("digits", GIVEN)
"""Data names that are no paths."""


def absolute(full: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Every path absolute; relative ones are relative to `folder`. What is no path or no text is left as it is.

    Args:
        full: the recipe after shorthands were written out; left as it is.
        folder: the recipe file's.
    """
    data, teacher, student = full.get("data"), full.get("teacher"), full.get("student")
    full = dict(full)
    if isinstance(data, dict):
        keys = ("train", "test", "validation", "unlabelled")
        full["data"] = {k: _path(v, folder) if k in keys and v not in BUILT_IN_DATA else v for k, v in data.items()}
    if isinstance(teacher, dict):
        moved = {"weights": _path(teacher.get("weights"), folder), "from": _code(teacher.get("from"), folder)}
        full["teacher"] = {key: moved.get(key, value) for key, value in teacher.items()}
    if isinstance(student, dict) and "module" in student:
        full["student"] = {**student, "module": _code(student["module"], folder)}
    return full


def _path(value: Any, folder: Path) -> Any:  # noqa: ANN401 - not yet judged
    if not isinstance(value, str) or not value:
        return value
    return os.path.abspath(folder / Path(value).expanduser())  # noqa: PTH100 - links stay as they were named


def _code(value: Any, folder: Path) -> Any:  # noqa: ANN401 - not yet judged
    """`model.py:make` is a path and a name; `package.module:make` is left as it is."""
    if not isinstance(value, str) or ".py:" not in value:
        return value
    file, _, function = value.rpartition(":")
    return f"{_path(file, folder)}:{function}"
