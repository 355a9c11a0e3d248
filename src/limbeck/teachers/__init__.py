"""Teachers: frozen models, trained here or brought along, that a student imitates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from limbeck.core.families import build_family

if TYPE_CHECKING:
    from torch import nn

FAMILIES = {
    "resnet": "limbeck.teachers.resnet:ResNet",
    "wide-mlp": "limbeck.teachers.wide_mlp:WideMLP",
    "convnet": "limbeck.students.convnet:ConvNet",
    "mlp": "limbeck.students.mlp:MLP",
}
"""Family name -> where the class lives. Its keyword arguments beside `inputs` and `outputs` are the knobs.

Large ones first; a born-again student's teacher is of the student's own family.
"""


def build(spec: Mapping[str, Any], *, inputs: tuple[int, ...], outputs: int) -> "nn.Module":
    """Builds an untrained teacher from `{"family": name, knob: value, ...}`.

    Args:
        spec: family and knobs.
        inputs: shape of one example as the model sees it, without the batch axis.
        outputs: width of the last axis.

    Returns:
        A freshly initialised module; seed the generator before.

    Raises:
        ModelError: there is no such family or knob, or it does not fit the input.
    """
    teacher: nn.Module = build_family(FAMILIES, spec, inputs=inputs, outputs=outputs, where="teacher.train")
    return teacher
