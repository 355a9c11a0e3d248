"""How strongly each term pulls at the student: the norm of its gradient, and weights that are shares of it."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from limbeck.core import processes
from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives.weighted import WeightedSum

PREFIX = "gradient/"
"""Before a term's name in the history."""


def norm_of(value: Tensor, parameters: Sequence[nn.Parameter]) -> float:
    """Norm of the gradient of a mean over all processes' rows, by the parameters; the graph is kept.

    Example:
        >>> weight = nn.Parameter(torch.tensor([3.0]))
        >>> norm_of((2 * weight).sum(), [weight])
        2.0
    """
    if not value.requires_grad:
        return 0.0
    gradients: Sequence[Tensor | None] = torch.autograd.grad(
        value, list(parameters), retain_graph=True, allow_unused=True
    )
    flat = [torch.zeros(p.numel(), device=p.device) if g is None else g.reshape(-1).float()
            for p, g in zip(parameters, gradients, strict=True)]  # fmt: skip
    whole = processes.add_up(torch.cat(flat)) / processes.world()
    return float(whole.norm())


def shares(terms: Mapping[str, Tensor], model: nn.Module) -> dict[str, float]:
    """Each term's share of the sum of all gradients' norms, 0..1, under `gradient/NAME`."""
    parameters = trained(model)
    norms = {name: norm_of(value, parameters) for name, value in terms.items()}
    total = sum(norms.values())
    return {f"{PREFIX}{name}": norm / total if total else 0.0 for name, norm in norms.items()}


def balance(
    objective: WeightedSum,
    model: nn.Module,
    student: Signals,
    teacher: Signals | None,
    batch: Batch,
    *,
    progress: float,
) -> None:
    """From here on the objective's weights are shares of the gradient that this batch gives.

    Args:
        objective: `start_balancing` was called.
        model: whose gradient counts.
        student: with a graph.
        teacher: likewise heard.
        batch: both were asked about.
        progress: share of training done.
    """
    parameters = trained(model)
    values = objective.part_values(student, teacher, batch, progress)
    objective.balance([None if value is None else norm_of(value, parameters) for value in values])


def trained(model: nn.Module) -> list[nn.Parameter]:
    """Its parameters that are trained."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
