"""Small worlds for objectives: what a student and a teacher say about a batch, and what can be done to all of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from limbeck.core.batch import Batch, Mix
from limbeck.core.signals import Sampled, Signals, TopK

ROWS, CLASSES = 6, 5


@dataclass(frozen=True)
class World:
    student: Signals
    teacher: Signals
    batch: Batch

    def map(self, change: Callable[[Tensor], Tensor]) -> "World":
        """Every tensor changed; all have the batch as their first axis."""
        return mapped(self, change)

    def take(self, rows) -> "World":
        return self.map(lambda tensor: tensor[rows])

    def cast(self, dtype: torch.dtype) -> "World":
        return self.map(lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)

    def weighed(self, weight: Tensor | None) -> "World":
        return replace(self, batch=replace(self.batch, weight=weight))

    @property
    def weight(self) -> Tensor:
        return torch.ones(len(self.batch)) if self.batch.weight is None else self.batch.weight

    def shapes(self, signals: Signals) -> dict[str, tuple[int, ...]]:
        return {tap: tuple(tensor.shape[1:]) for tap, tensor in signals.features.items()}

    def leaves(self, signals: Signals) -> list[Tensor]:
        found: list[Tensor] = []
        mapped(signals, lambda tensor: found.append(tensor) or tensor)
        return [tensor for tensor in found if tensor.is_floating_point()]


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: mapped(inner, change) for key, inner in value.items()}
    if is_dataclass(value):
        return replace(value, **{field.name: mapped(getattr(value, field.name), change) for field in fields(value)})
    return value


def batch_of(random: torch.Generator, *, rows: int = ROWS, classes: int = CLASSES) -> Batch:
    return Batch(
        ids=torch.arange(rows),
        views=torch.zeros(rows, dtype=torch.int64),
        inputs=torch.zeros(rows, 1),
        target=torch.randint(classes, (rows,), generator=random),
        weight=torch.rand(rows, generator=random, dtype=torch.float64) + 0.1,
    )


def logits_world(random: torch.Generator) -> World:
    student, teacher = (3 * torch.randn(ROWS, CLASSES, generator=random, dtype=torch.float64) for _ in range(2))
    return World(Signals(student), Signals(teacher), batch_of(random))


def features_world(*shapes: tuple[int, ...], real: int | None = None) -> Callable[[torch.Generator], World]:
    """Activations: half of the shapes are the student's, half the teacher's, at taps "tap", "tap-2", ...

    Where `real` is given, positions are masked, that many tokens in all.
    """

    def build(random: torch.Generator) -> World:
        said = [torch.randn(ROWS, *shape, generator=random, dtype=torch.float64) for shape in shapes]
        half = len(said) // 2
        taps = ["tap", *(f"tap-{number}" for number in range(2, half + 1))]
        student, teacher = (Signals(features=dict(zip(taps, side, strict=True))) for side in (said[:half], said[half:]))
        batch = batch_of(random)
        if real is not None:
            lengths = torch.randint(1, real + 1, (ROWS, 1), generator=random)
            batch = replace(batch, mask=torch.arange(real) < lengths)
        return World(student, teacher, batch)

    return build


def exits_world(random: torch.Generator) -> World:
    """A student's activation beside a teacher's logits."""
    said = features_world((3, 2, 2), (3, 2, 2))(random)
    return replace(said, teacher=logits_world(random).teacher)


def gradients_world(random: torch.Generator) -> World:
    """Gradients by the inputs."""
    student, teacher = (torch.randn(ROWS, 1, 3, 3, generator=random, dtype=torch.float64) for _ in range(2))
    return World(Signals(input_gradient=student), Signals(input_gradient=teacher), batch_of(random))


def half_labelled(make: Callable[[torch.Generator], World]) -> Callable[[torch.Generator], World]:
    """Where the mask is false the label is nonsense: it is undefined there."""

    def build(random: torch.Generator) -> World:
        world = make(random)
        mask = torch.tensor([True, False, True, True, False, True])
        target = torch.where(mask, world.batch.target, torch.tensor([0, -1, 0, 0, 999, 0]))
        return replace(world, batch=replace(world.batch, target=target, target_mask=mask))

    return build


half_labelled_world = half_labelled(logits_world)


def mixed_world(random: torch.Generator) -> World:
    """Views that mix two examples, some of them unlabelled."""
    world = half_labelled_world(random)
    share = torch.rand(ROWS, generator=random, dtype=torch.float64)
    target = torch.randint(CLASSES, (ROWS,), generator=random)
    mask = torch.tensor([True, True, False, True, True, True])
    return replace(world, batch=replace(world.batch, mix=Mix(share, target.where(mask, -1), mask)))


def top_world(k: int, temperature: float) -> Callable[[torch.Generator], World]:
    def build(random: torch.Generator) -> World:
        world = logits_world(random)
        ordered, index = world.teacher.logits.sort(dim=1, descending=True)
        tail = torch.logsumexp(ordered[:, k:] / temperature, dim=1, keepdim=True)
        top = TopK(index[:, :k], ordered[:, :k], (temperature,), tail)
        return replace(world, teacher=Signals(top=top))

    return build


def sampled_world(draws: int, temperature: float) -> Callable[[torch.Generator], World]:
    def build(random: torch.Generator) -> World:
        world = logits_world(random)
        p = torch.softmax(world.teacher.logits / temperature, dim=1)
        index = torch.multinomial(p, draws, replacement=True, generator=random)
        return replace(world, teacher=Signals(sampled=Sampled(index, temperature, -(p * p.log()).sum(dim=1))))

    return build
