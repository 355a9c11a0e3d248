"""Small worlds for objectives on outputs: values, yes or no, taps of a width."""

from collections.abc import Callable
from dataclasses import replace

import torch

from limbeck.core.signals import Signals

from .worlds import ROWS, World, logits_world


def wide_world(width: int) -> Callable[[torch.Generator], World]:
    """As many outputs as asked for, and values or yes-or-no for labels."""

    def build(random: torch.Generator) -> World:
        student, teacher = (3 * torch.randn(ROWS, width, generator=random, dtype=torch.float64) for _ in range(2))
        return replace(logits_world(random), student=Signals(student), teacher=Signals(teacher))

    return build


def values_world(random: torch.Generator) -> World:
    world = wide_world(3)(random)
    target = 3 * torch.randn(ROWS, 3, generator=random, dtype=torch.float64)
    return replace(world, batch=replace(world.batch, target=target))


def yes_or_no_world(random: torch.Generator) -> World:
    world = values_world(random)
    return replace(world, batch=replace(world.batch, target=(world.batch.target > 0).double()))


def one_label_world(random: torch.Generator) -> World:
    """A label a row is one number, not a row of one."""
    world = yes_or_no_world(random)
    student, teacher = (Signals(side.logits[:, :1]) for side in (world.student, world.teacher))
    return World(student, teacher, replace(world.batch, target=world.batch.target[:, 0]))


def half_known(world_of: Callable[[torch.Generator], World]) -> Callable[[torch.Generator], World]:
    """Where the mask is false the label is nonsense."""

    def build(random: torch.Generator) -> World:
        world = world_of(random)
        mask = torch.tensor([True, False, True, True, False, True])
        target = world.batch.target.clone()
        target[~mask] = torch.nan
        return replace(world, batch=replace(world.batch, target=target, target_mask=mask))

    return build


def tapped_world(student: int, teacher: int) -> Callable[[torch.Generator], World]:
    def build(random: torch.Generator) -> World:
        widths = {"neck": student, "pool": teacher}
        signals = [
            Signals(features={tap: 3 * torch.randn(ROWS, width, generator=random, dtype=torch.float64)})
            for tap, width in widths.items()
        ]
        return World(*signals, logits_world(random).batch)

    return build


half_values_world = half_known(values_world)
half_yes_or_no_world = half_known(yes_or_no_world)
