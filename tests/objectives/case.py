"""`Case`: one way to use an objective, and what it promises."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from limbeck.objectives import Objective

from .worlds import World, logits_world


@dataclass(frozen=True)
class Case:
    """One way to use an objective.

    Attributes:
        name: for people, unique.
        method: the recipe name.
        make: the objective.
        reference: the formula, independently.
        world: what it reads, float64.
        divergence: whether it is 0 exactly where the student says what the teacher says (both as logits).
        negative: whether it may be below 0.
        plain: the two tensors of the plain call, where there is one.
        counts: weight of each row in the mean.
    """

    name: str
    method: str
    make: Callable[[], Objective]
    reference: Callable[[World], float]
    world: Callable[[torch.Generator], World] = logits_world
    divergence: bool = False
    negative: bool = False
    plain: Callable[[World], tuple[Tensor, Tensor]] | None = None
    counts: Callable[[World], Tensor] = lambda world: world.weight

    def fresh(self, seed: int = 0) -> World:
        return self.world(torch.Generator().manual_seed(seed))


def both_logits(world):
    return world.student.logits, world.teacher.logits


def logits_and_labels(world):
    return world.student.logits, world.batch.target


def labelled_weight(world):
    mix = world.batch.mix
    return world.weight * world.batch.target_mask * (1 if mix is None else mix.target_mask)
