"""Students: families with knobs, each exportable everywhere; or any module of the user's."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from limbeck.core.families import build_family

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
        ModelError: there is no such family or knob, or it does not fit the input.

    Example:
        >>> net = build({"family": "convnet", "width": 8, "depth": 2}, inputs=(1, 8, 8), outputs=10)
        >>> sum(p.numel() for p in net.parameters())
        970
    """
    student: nn.Module = build_family(FAMILIES, spec, inputs=inputs, outputs=outputs, where="student")
    return student
