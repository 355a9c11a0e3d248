"""A student of the user's own is exported before it is trained: what cannot be exported is refused at once."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from limbeck.errors import ExportError, ModelError
from limbeck.exporting.onnx import to_onnx
from limbeck.exporting.program import program
from limbeck.runs.plan import Plan
from limbeck.students import FAMILIES


def rehearse(plan: Plan) -> None:
    """Exports the untrained student into a folder that is thrown away; Limbeck's own families are known to work.

    Args:
        plan: what will be run.

    Raises:
        ModelError: it cannot be exported. Found at the end, this would cost the whole run.
    """
    if plan.student.spec.get("family") in FAMILIES:
        return
    core = plan.student.make(plan.recipe.seed)
    example = torch.from_numpy(np.ascontiguousarray(plan.splits.validation.read(np.arange(1))))
    with TemporaryDirectory() as folder:
        try:
            to_onnx(program(core, plan.student.preprocess), example, Path(folder) / "model.onnx")
        except ExportError as error:
            raise ModelError(f"{error}; nothing was trained, mend the student first") from error
