"""Every form of every objective as training computes it in company: `-m tests.objectives.in_two FOLDER` under torchrun.

Alone it is the same with all rows in one process, which is what several are compared with.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from limbeck.core import processes
from limbeck.objectives import as_sum
from limbeck.training.accumulate import couples, pieces
from limbeck.training.together import rows_of_all

from .case import Case
from .forms import one_of_each
from .harness import CASES, replace_leaves

FILE = "found.safetensors"


def learned_from(case: Case) -> dict[str, Tensor]:
    """Value, gradients, and what is remembered after a step: this process has had its share of the rows.

    The student's answers are its parameters: each process holds all of them and reads its rows, so that what the
    optimiser gets is the mean of the processes' gradients, as of a model's weights.
    """
    world, objective = case.fresh(), case.ready().train()
    whole, loss_of = replace_leaves(world.student, lambda t: t.clone().requires_grad_()), as_sum(objective)
    own = replace(world, student=whole).take(slice(processes.rank(), None, processes.world()))
    student, teacher, batch = own.student, own.teacher, own.batch
    ((_, shares),) = pieces(batch, 1, loss_of)
    if couples(loss_of):
        student, teacher, batch = rows_of_all(student), rows_of_all(teacher), rows_of_all(batch)
    loss = torch.stack([*loss_of(student, teacher, batch, 0.0, shares).values()]).sum()
    loss.backward()
    slopes = {f"student {n}": leaf.grad for n, leaf in enumerate(world.leaves(whole))}
    slopes |= {f"slope of {name}": parameter.grad for name, parameter in objective.named_parameters()}
    found = {"value": loss.detach(), **slopes}
    mean = {name: processes.add_up(each.clone()) / processes.world() for name, each in found.items()}
    return mean | {f"{name} at {processes.rank()}": each.clone() for name, each in objective.named_buffers()}


def main() -> None:
    torch.set_num_threads(1)
    with processes.joined():
        found = {f"{case.name}: {k}": each for case in one_of_each(CASES) for k, each in learned_from(case).items()}
        everywhere = processes.gather({name: each for name, each in found.items() if " at " in name})
        if processes.is_main():
            save_file(found | {n: t for theirs in everywhere for n, t in theirs.items()}, Path(sys.argv[1]) / FILE)


if __name__ == "__main__":
    main()
