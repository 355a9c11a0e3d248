"""NaN or infinity in the loss: say which term made it, and keep the batch that did."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.core.storage import write_tensors
from limbeck.errors import NonFiniteError


def refuse(
    *,
    terms: Mapping[str, Tensor],
    batch: Batch,
    student: Signals,
    teacher: Signals | None,
    model: nn.Module,
    step: int,
    folder: Path | None,
) -> None:
    """Saves the batch and raises, naming the guilty terms.

    Args:
        terms: loss terms, at least one of them not finite.
        batch: what the model was asked about.
        student: what it said.
        teacher: what the teacher said, if it was asked.
        model: for a look at its weights.
        step: optimiser step, 0-based.
        folder: where to save `nonfinite.safetensors`; `None` saves nothing.

    Raises:
        NonFiniteError: always.
    """
    values = {name: value.detach().float().item() for name, value in terms.items()}
    guilty = [name for name, value in values.items() if not math.isfinite(value)] or ["the sum of all terms"]
    where = _first_cause(batch, student, teacher, model)
    saved = ""
    if folder is not None:
        path = folder / "nonfinite.safetensors"
        tensors = _tensors(batch, student, teacher)
        meta = {"step": str(step), "terms": json.dumps({name: str(value) for name, value in values.items()})}
        write_tensors(path, tensors, meta)
        saved = f"; the batch is in {path}"
    raise NonFiniteError(
        f"step {step}: {', '.join(guilty)} is not finite ({where}){saved}. Lower train.learning_rate, "
        "set train.clip_norm, or look at the inputs of that batch"
    )


def check_weights(model: nn.Module, step: int) -> None:
    """Refuses weights or running statistics that are not finite: a finite loss may have an infinite gradient.

    Args:
        model: the student.
        step: optimiser steps done.

    Raises:
        NonFiniteError: names the first such tensor.
    """
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    wrong = next((n for n, t in state.items() if t.is_floating_point() and not torch.isfinite(t).all()), None)
    if wrong is not None:
        raise NonFiniteError(
            f"step {step}: the student's {wrong} is not finite, though the loss was; lower train.learning_rate or set "
            "train.clip_norm"
        )


def _first_cause(batch: Batch, student: Signals, teacher: Signals | None, model: nn.Module) -> str:
    inputs = (
        batch.inputs if isinstance(batch.inputs, Tensor) else torch.cat([v.flatten() for v in batch.inputs.values()])
    )
    if inputs.is_floating_point() and not torch.isfinite(inputs).all():
        return "the batch's inputs already are not"
    if teacher is not None and teacher.logits is not None and not torch.isfinite(teacher.logits).all():
        return "the teacher's logits are not"
    if not all(torch.isfinite(p).all() for p in model.parameters()):
        return "the student's weights became so in an earlier step"
    if student.logits is not None and not torch.isfinite(student.logits).all():
        return "the student's logits are not, though its weights are finite"
    return "inputs, weights and logits are finite, so it arose in the loss itself"


def _tensors(batch: Batch, student: Signals, teacher: Signals | None) -> dict[str, Tensor]:
    found: dict[str, Tensor | None] = {
        name: getattr(batch, name) for name in ("ids", "views", "target", "target_mask", "weight")
    }
    inputs = {"inputs": batch.inputs} if isinstance(batch.inputs, Tensor) else dict(batch.inputs)
    found |= inputs
    found |= {"student_logits": student.logits, "teacher_logits": None if teacher is None else teacher.logits}
    return {name: value for name, value in found.items() if value is not None}
