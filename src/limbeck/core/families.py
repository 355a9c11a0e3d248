"""Families of models: an architecture by name, with knobs that are its constructor's keyword arguments."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from limbeck.errors import ModelError


def build_family(
    families: Mapping[str, str], spec: Mapping[str, Any], *, inputs: tuple[int, ...], outputs: int, where: str
) -> Any:  # noqa: ANN401 - a torch module, which core does not import
    """Builds a model from `{"family": name, knob: value, ...}`.

    Args:
        families: family name -> "module:class".
        spec: family and knobs.
        inputs: shape of one example as the model sees it, without the batch axis.
        outputs: width of the last axis.
        where: what the recipe calls the place, for messages: "student".

    Returns:
        A freshly initialised module.

    Raises:
        ModelError: there is no such family or knob, or it does not fit the input.
    """
    family = spec.get("family")
    if not isinstance(family, str) or family not in families:
        raise ModelError(f"{where}.family: there is no family {family!r}; use one of: {', '.join(families)}")
    module, name = families[family].split(":")
    make = getattr(import_module(module), name)
    known = [knob for knob in inspect.signature(make).parameters if knob not in ("inputs", "outputs")]
    knobs = {knob: value for knob, value in spec.items() if knob != "family"}
    unknown = [knob for knob in knobs if knob not in known]
    if unknown:
        raise ModelError(f"{where}.{unknown[0]}: family {family} has no such knob; it has: {', '.join(known)}")
    return make(inputs=inputs, outputs=outputs, **knobs)
