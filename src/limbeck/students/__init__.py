"""Students: families with knobs, each exportable everywhere; models of timm and torchvision; any module of the user's.

A family is a name of `FAMILIES`, `timm:NAME` or `torchvision:NAME`; a finished student is built again from its name and
settings, without trusting anybody's code.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from limbeck.core.families import build_family
from limbeck.core.libraries import build_from_library, from_library

if TYPE_CHECKING:
    from torch import nn

FAMILIES = {
    "convnet": "limbeck.students.convnet:ConvNet",
    "mlp": "limbeck.students.mlp:MLP",
    "resnet": "limbeck.teachers.resnet:ResNet",
}
"""Family name -> where the class lives. Its keyword arguments beside `inputs` and `outputs` are the knobs.

A teacher's family is a student's too where every device has its operators.
"""


def build(spec: Mapping[str, Any], *, inputs: tuple[int, ...], outputs: int) -> "nn.Module":
    """Builds a student from a recipe's `student` section.

    Args:
        spec: `{"family": name, knob: value, ...}`; knobs of a library's model are its builder's keyword arguments.
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
    family = spec.get("family")
    if isinstance(family, str) and from_library(family):
        knobs = {key: value for key, value in spec.items() if key != "family"}
        return build_from_library(family, inputs=inputs, outputs=outputs, settings=knobs, where="student")
    student: nn.Module = build_family(FAMILIES, spec, inputs=inputs, outputs=outputs, where="student")
    return student
