"""Relative paths of a recipe, made to hold wherever the resolved recipe is put."""

import os
from pathlib import Path
from typing import Any

from limbeck.core.libraries import from_library
from limbeck.data.foreign import names_code
from limbeck.data.hub import PREFIX
from limbeck.recipe.model import GIVEN

FILES = (".onnx", ".pt2")
"""Suffixes of files that are a whole model."""
BUILT_IN_DATA = ("digits", GIVEN)
"""Data names that are no paths."""


def absolute(full: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Every path absolute; relative ones are relative to `folder`. What is no path or no text is left as it is.

    Args:
        full: the recipe after shorthands were written out; left as it is.
        folder: the recipe file's.
    """
    data, teacher = full.get("data"), full.get("teacher")
    full = dict(full)
    if isinstance(data, dict):
        keys = ("train", "test", "validation", "unlabelled")
        full["data"] = {k: _data(v, folder) if k in keys and v not in BUILT_IN_DATA else v for k, v in data.items()}
    if isinstance(teacher, dict):
        full["teacher"] = _teacher(teacher, folder)
    student = full.get("student")
    if isinstance(student, dict) and "weights" in student:
        full["student"] = {**student, "weights": _path(student["weights"], folder)}
    guide = full.get("guide")
    if isinstance(guide, dict) and isinstance(guide.get("from"), str) and "://" not in guide["from"]:
        full["guide"] = {**guide, "from": _path(guide["from"], folder)}
    return full


def _teacher(teacher: dict[str, Any], folder: Path) -> dict[str, Any]:
    keys = ("weights", *(("from",) if is_path(teacher.get("from")) else ()))
    teacher = {k: _path(v, folder) if k in keys else v for k, v in teacher.items()}
    members = teacher.get("ensemble")
    if isinstance(members, list):
        teacher["ensemble"] = [_teacher(member, folder) if isinstance(member, dict) else member for member in members]
    return teacher


def is_path(word: object) -> bool:
    """Whether a model's name is that of a file or folder: it has a slash in it, or the suffix of a model's file.

    Example:
        >>> is_path("runs/photos"), is_path("teacher.onnx"), is_path("my_models:make"), is_path("timm:hf_hub:a/b")
        (True, True, False, False)
    """
    if not isinstance(word, str) or from_library(word):
        return False
    return "/" in word or os.sep in word or word.lower().endswith(FILES)


def _data(value: Any, folder: Path) -> Any:  # noqa: ANN401 - not yet judged
    """Of `hf:...` only folders are paths; `module:function` is none, unless there is a file of that name."""
    if not isinstance(value, str) or not value:
        return value
    if value.startswith(PREFIX):
        inside = value.removeprefix(PREFIX)
        return PREFIX + _path(inside, folder) if inside.startswith((".", "~")) else value
    if names_code(value, folder):
        return value
    return _path(value, folder)


def _path(value: Any, folder: Path) -> Any:  # noqa: ANN401 - not yet judged
    if not isinstance(value, str) or not value:
        return value
    return os.path.abspath(folder / Path(value).expanduser())  # noqa: PTH100 - links stay as they were named
