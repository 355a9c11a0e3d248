"""Presets: a known way to distil by its name. It fills in what the recipe leaves open, and no more."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "patient": {
        "data": {"views": {"ops": [{"op": "crop"}, {"op": "mixup"}]}},
        "objective": [{"method": "soft-targets", "temperature": 1.0}],
        "train": {"epochs": 300},
    },
}
"""Name -> keys of a recipe.

`patient`: Beyer et al. 2022, Knowledge distillation: a good teacher is patient and consistent, arXiv 2106.05237. The
teacher is matched as a function (no labels, temperature 1) on many views, for long. The paper also mirrors pictures,
which makes other letters and digits of some; add `flip` where mirrored pictures mean the same.
"""


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with those of their preset in the keys that are left out; an unknown name is left to be judged.

    Mappings are filled in key by key; lists and all else are taken whole.

    Example:
        >>> filled({"preset": "patient", "train": {"ema": 0.999}})["train"]
        {'epochs': 300, 'ema': 0.999}
    """
    name = values.get("preset")
    preset = PRESETS.get(name) if isinstance(name, str) else None
    return dict(values) if preset is None else _under(values, deepcopy(preset))


def _under(values: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**below, **values}
    for key in below.keys() & values.keys():
        if isinstance(values[key], Mapping) and isinstance(below[key], Mapping):
            merged[key] = _under(values[key], below[key])
    return merged
