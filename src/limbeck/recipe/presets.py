"""Presets: a known way to distil by its name. It fills in what the recipe leaves open, and no more.

A preset is a function: its arguments are what a recipe may set beside the name, and it returns keys of a recipe.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from limbeck.errors import InputError

PRESETS: Mapping[str, str] = {
    "patient": "limbeck.recipe.presets:patient",
    "fitnets": "limbeck.recipe.presets:fitnets",
}
"""Name -> the function that gives its keys."""


def patient() -> dict[str, Any]:
    """Beyer et al. 2022, Knowledge distillation: a good teacher is patient and consistent, arXiv 2106.05237.

    The teacher is matched as a function (no labels, temperature 1) on many views, for long. The paper also mirrors
    pictures, which makes other letters and digits of some; add `flip` where mirrored pictures mean the same.
    """
    return {
        "data": {"views": {"ops": [{"op": "crop"}, {"op": "mixup"}]}},
        "objective": [{"method": "soft-targets", "temperature": 1.0}],
        "train": {"epochs": 300},
    }


def fitnets(
    student: str, teacher: str, *, temperature: float = 3.0, start: float = 4.0, end: float = 1.0, share: float = 0.25
) -> dict[str, Any]:
    """Romero et al. 2015, FitNets: Hints for Thin Deep Nets, arXiv 1412.6550, algorithm 1.

    First the student's lower part and a regressor learn the teacher's hint layer, `1/2 ||u - r||^2` (equation 3); then
    the regressor is dropped and the whole student learns `H(y, p_s) + lambda H(p_t, p_s)`, both distributions of the
    second term at the temperature (equation 2), lambda falling in a straight line. The paper's second term has no
    `T^2`; `soft-targets` has, so its weight is `lambda / T^2`.

    Args:
        student: path of the guided layer, in the middle of the student.
        teacher: path of the hint layer, in the middle of the teacher.
        temperature: T > 0.
        start: lambda at the second stage's first step, at least 0.
        end: lambda at its last, at least 0.
        share: of all steps, that the first stage takes.

    Raises:
        RecipeError: a value is out of range.

    Example:
        >>> fitnets("body.5", "stages.1", temperature=2)["objective"][1]["weight"]
        {'kind': 'decay', 'value': 1.0, 'end': 0.25}
    """
    from limbeck.objectives.ranges import check_at_least_zero, check_temperature

    check_temperature(temperature)
    check_at_least_zero("start", start)
    check_at_least_zero("end", end)
    squared = temperature**2
    fading = {"kind": "decay", "value": start / squared, "end": end / squared}
    return {
        "stages": [{"objective": [{"method": "hint", "student": student, "teacher": teacher}], "share": share}],
        "objective": [
            {"method": "hard-labels"},
            {"method": "soft-targets", "temperature": float(temperature), "weight": fading},
        ],
    }


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with those of their preset in the keys that are left out; what is wrong with it is left to be judged.

    Mappings are filled in key by key; lists and all else are taken whole.

    Args:
        values: whose `preset`, if any, is `{name: NAME, ...}`.

    Example:
        >>> filled({"preset": {"name": "patient"}, "train": {"ema": 0.999}})["train"]
        {'epochs': 300, 'ema': 0.999}
    """
    keys = _keys(values.get("preset"))
    return dict(values) if keys is None else _under(values, keys)


def _keys(preset: object) -> dict[str, Any] | None:
    """Those of a preset that is right in itself."""
    from limbeck.recipe.settings import loaded, settings_model

    if not isinstance(preset, Mapping):
        return None
    name = preset.get("name")
    if not isinstance(name, str) or name not in PRESETS:
        return None
    where = PRESETS[name]
    try:
        settings = settings_model(where).model_validate({key: v for key, v in preset.items() if key != "name"})
        keys: dict[str, Any] = loaded(where)(**settings.model_dump())
    except (ValidationError, InputError):
        return None
    return keys


def _under(values: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**below, **values}
    for key in below.keys() & values.keys():
        if isinstance(values[key], Mapping) and isinstance(below[key], Mapping):
            merged[key] = _under(values[key], below[key])
    return merged
