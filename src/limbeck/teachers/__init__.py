"""Teachers: frozen models, trained here or brought along, that a student imitates."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from limbeck.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

FAMILIES = {
    "resnet": "limbeck.teachers.resnet:ResNet",
    "wide-mlp": "limbeck.teachers.wide_mlp:WideMLP",
}
"""Family name -> where the class lives. Its keyword arguments beside `inputs` and `outputs` are the knobs."""


def build(spec: Mapping[str, Any], *, inputs: tuple[int, ...], outputs: int) -> "nn.Module":
    """Builds an untrained teacher from `{"family": name, knob: value, ...}`.

    Args:
        spec: family and knobs.
        inputs: shape of one example as the model sees it, without the batch axis.
        outputs: width of the last axis.

    Returns:
        A freshly initialised module; seed the generator before.

    Raises:
        ModelError: there is no such family, or it does not fit the input.
    """
    family = spec.get("family")
    if family not in FAMILIES:
        raise ModelError(f"teacher.train.family: there is no family {family!r}; use one of: {', '.join(FAMILIES)}")
    module, name = FAMILIES[family].split(":")
    knobs = {knob: value for knob, value in spec.items() if knob != "family"}
    teacher: nn.Module = getattr(import_module(module), name)(inputs=inputs, outputs=outputs, **knobs)
    return teacher
