"""`Case`: one way to use an objective, and what it promises."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from limbeck.objectives import Objective

from .limits import Limits
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
        learned: whether the reference is also handed what the objective learns (its state, by name).
        stretch: how far the student may go in half precision before a gradient leaves float16 by the formula itself.
        given: (term, prefix): parameters that a term takes as given, as it does the teacher.
        padding: whether tokens that are padding are left out; otherwise sequences that have some are refused.
        same: changes of what is compared, of either side, that leave the value alone.
        student_same: changes of what the student says alone.
        teacher_same: of what the teacher says alone.
        alike: changes of all of it at once.
        limits: what it tends to as its temperature grows and vanishes.
    """

    name: str
    method: str
    make: Callable[[], Objective]
    reference: Callable[..., float]
    world: Callable[[torch.Generator], World] = logits_world
    divergence: bool = False
    negative: bool = False
    plain: Callable[[World], tuple[Tensor, Tensor]] | None = None
    counts: Callable[[World], Tensor] = lambda world: world.weight
    learned: bool = False
    stretch: float = 1e3
    given: tuple[tuple[str, str], ...] = ()
    padding: bool = True
    same: tuple[Callable[[Tensor], Tensor], ...] = ()
    student_same: tuple[Callable[[Tensor], Tensor], ...] = ()
    teacher_same: tuple[Callable[[Tensor], Tensor], ...] = ()
    alike: tuple[Callable[[World], World], ...] = ()
    limits: Limits | None = None

    def fresh(self, seed: int = 0) -> World:
        return self.world(torch.Generator().manual_seed(seed))

    def ready(self) -> Objective:
        """The objective, built for its world, always alike."""
        return built(self.make(), self.fresh())

    @property
    def has_symmetries(self) -> bool:
        return bool(self.same or self.student_same or self.teacher_same or self.alike)

    def expected(self, world: World) -> float:
        return self.by(self.reference, world)

    def by(self, reference: Callable[..., float], world: World) -> float:
        """What a reference says of a world, handed what is learned where it is to be."""
        if not self.learned:
            return reference(world)
        state = {name: tensor.double().numpy() for name, tensor in self.ready().state_dict().items()}
        return reference(world, state)


def built(objective: Objective, world: World) -> Objective:
    """With bridges for the world's shapes, float64, always alike."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        objective.build(
            *({tap: tuple(at.shape[1:]) for tap, at in s.features.items()} for s in (world.student, world.teacher))
        )
        for parameter in objective.parameters():  # what starts at 0 would hide a mistake
            torch.nn.init.normal_(parameter, std=0.5)
    objective.double()
    if next(objective.buffers(), None) is not None:  # a memory: it has seen a batch, of which half comes again
        seen = replace(world.batch, ids=world.batch.ids.flip(0) + len(world.batch) // 2)
        objective(world.student, world.teacher, seen)
    return objective.eval()


def both_logits(world):
    return world.student.logits, world.teacher.logits


def logits_and_labels(world):
    return world.student.logits, world.batch.target


def labelled_weight(world):
    mix = world.batch.mix
    return world.weight * world.batch.target_mask * (1 if mix is None else mix.target_mask)
