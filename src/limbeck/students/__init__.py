"""Students: families with knobs, each exportable everywhere; or any module of the user's."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from limbeck.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

FAMILIES = {
    "convnet": "limbeck.students.convnet:ConvNet",
    "mlp": "limbeck.students.mlp:MLP",
}
"""Family name -> where the class lives. Its keyword arguments beside `inputs` and `outputs` are the knobs."""


def build(spec: Mapping[str, Any], *, inputs: tuple[int, ...], outputs: int) -> "nn.Module":
    """Builds a student from a recipe's `student` section.

    Args:
        spec: `{"family": name, knob: value, ...}`.
        inputs: shape of one example as the model sees it, without the batch axis.
        outputs: width of the last axis.

    Returns:
        A freshly initialised module; seed the generator before.

    Raises:
        ModelError: there is no such family, or it does not fit the input.

    Example:
        >>> net = build({"family": "convnet", "width": 8, "depth": 2}, inputs=(1, 8, 8), outputs=10)
        >>> sum(p.numel() for p in net.parameters())
        970
    """
    family = spec.get("family")
    if family not in FAMILIES:
        raise ModelError(f"student.family: there is no family {family!r}; use one of: {', '.join(FAMILIES)}")
    module, name = FAMILIES[family].split(":")
    knobs = {knob: value for knob, value in spec.items() if knob != "family"}
    student: nn.Module = getattr(import_module(module), name)(inputs=inputs, outputs=outputs, **knobs)
    return student
