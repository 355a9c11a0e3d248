"""How much of the soft-target loss a sparse signal keeps, on a finished run: `sparse_agreement.py runs/demo`.

Teacher's and first student's logits of the test split are read from the run. For each signal: its loss over the full
one, and the cosine of its gradient with the full one's, over all rows.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from limbeck import record
from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.guide.codec import decode, encode
from limbeck.guide.spec import SampledSpec, SignalSpec, TopKSpec
from limbeck.objectives import SoftTargets

TEMPERATURE = 2.0


def logits(folder: Path, role: str) -> torch.Tensor:
    model = next(m for m in record.read(folder).models if m.role == role)
    assert model.predictions is not None
    return torch.from_numpy(np.load(folder / model.predictions.path)["logits"])


def loss_and_gradient(student: torch.Tensor, teacher: Signals) -> tuple[float, torch.Tensor]:
    student = student.clone().requires_grad_()
    ids = torch.arange(len(student))
    batch = Batch(ids, torch.zeros_like(ids), student)
    value = SoftTargets(TEMPERATURE).terms(Signals(logits=student), teacher, batch)["soft-targets"]
    value.backward()
    assert student.grad is not None
    return value.item(), student.grad.flatten()


def main(folder: Path) -> None:
    teacher, student = logits(folder, "teacher"), logits(folder, "student")
    rows = np.arange(len(teacher))
    full, exact = loss_and_gradient(student, Signals(logits=teacher))
    print(f"{len(teacher)} test examples, T = {TEMPERATURE:g}, full loss {full:.4f}\n")
    print("| signal | loss over the full one | cosine of the gradients |\n|---|---|---|")
    outputs = [TopKSpec(k, (TEMPERATURE,)) for k in (1, 2, 3, 5)] + [SampledSpec(n, TEMPERATURE) for n in (2, 10, 50)]
    for output in outputs:
        spec = SignalSpec(output)
        arrays = encode(Signals(logits=teacher), rows, np.zeros_like(rows), spec)
        value, gradient = loss_and_gradient(student, decode(arrays, spec, torch.device("cpu")))
        cosine = torch.nn.functional.cosine_similarity(gradient, exact, dim=0).item()
        print(f"| {spec} | {value / full:.3f} | {cosine:.3f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo"))
