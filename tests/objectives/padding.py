"""Laws of padding: of every objective that reads activations, whatever layouts it is given."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from limbeck.errors import ModelError
from limbeck.objectives import Objective

from .case import Case, built
from .worlds import ROWS, World, mapped

TOKENS = 9
"""So many that they could be pixels of a square, which they are not where there is padding."""
LAYOUTS = ((9, 9), (9, 4), (4, 9), (9, "grid"), ("grid", 9), (9, "vector"), ("vector", 9))
"""What the student's taps give, and what the teacher's: so many tokens, or what has none."""
LEFT_OUT = "left out"


def padded_positions_change_nothing(case: Case) -> None:
    """Whatever stands where the batch's mask is false; or sequences are refused, with the mend."""
    for layout in LAYOUTS:
        for outcome in _outcomes(case, *layout):
            assert outcome == LEFT_OUT or re.search("(padding|mask).*; tap ", outcome), outcome
    equal = [*_outcomes(case, *_sequences(case))]
    assert equal
    assert all((outcome == LEFT_OUT) == case.padding for outcome in equal)


def padding_may_be_more_and_stand_anywhere(case: Case) -> None:
    """Only the real tokens count, in their order."""
    world = _masked(_laid_out(case, *_sequences(case)), TOKENS)
    objective = built(case.make(), world)
    expected = _value(objective, world).item()
    for length, front in ((TOKENS, True), (TOKENS + 4, False), (TOKENS + 3, True)):
        other = _moved(world, length, front=front)
        again = built(case.make(), other)
        again.load_state_dict(objective.state_dict())
        assert _value(again, other).item() == pytest.approx(expected, rel=1e-12, abs=1e-15)


def a_mask_without_padding_is_no_mask(case: Case) -> None:
    world = _laid_out(case, *_sequences(case))
    objective = built(case.make(), world)
    real = replace(world, batch=replace(world.batch, mask=torch.ones(ROWS, TOKENS, dtype=torch.bool)))
    assert _value(objective, real).item() == pytest.approx(_value(objective, world).item(), rel=1e-12)


def a_row_of_padding_alone_is_finite(case: Case) -> None:
    """And what stands in it still changes nothing."""
    world = _masked(_laid_out(case, *_sequences(case)), TOKENS)
    mask = world.batch.mask.clone()
    mask[2] = False
    filled, leaves = _filled(replace(world, batch=replace(world.batch, mask=mask)))
    found = _value(built(case.make(), filled), filled)
    slopes = torch.autograd.grad(found, leaves)
    assert torch.isfinite(found)
    assert all(torch.isfinite(slope).all() and not slope[2].any() for slope in slopes)


def reads_taps(case: Case) -> bool:
    return bool(case.make().needs().student_taps)


def leaves_padding_out(case: Case) -> bool:
    return reads_taps(case) and case.padding


def _value(objective: Objective, world: World) -> Tensor:
    return torch.stack([*objective(world.student, world.teacher, world.batch).values()]).sum()


def _outcomes(case: Case, student: int | str, teacher: int | str) -> Iterator[str]:
    """What becomes of padding in one layout, for a mask of either side's tokens: left out, or why it is refused."""
    world = _laid_out(case, student, teacher)
    objective = _reads(case, world)
    for count in sorted({side for side in (student, teacher) if isinstance(side, int)} if objective else ()):
        masked = _masked(world, count)
        filled, leaves = _filled(masked)
        try:
            found = _value(objective, filled)
        except ModelError as error:
            yield str(error)
            continue
        assert found.item() == pytest.approx(_value(objective, masked).item(), rel=1e-12)
        slopes = torch.autograd.grad(found, leaves, allow_unused=True) if leaves else ()
        assert not any(slope[~masked.batch.mask].any() for slope in slopes if slope is not None)
        yield LEFT_OUT


def _reads(case: Case, world: World) -> Objective | None:
    """The objective for a world without a mask, if it reads such layouts at all."""
    try:
        objective = built(case.make(), world)
        _value(objective, world)
    except ModelError:
        return None
    return objective


def _sequences(case: Case) -> tuple[int | str, int | str]:
    """Equally many tokens on both sides, or, where the teacher's must be a vector, on one."""
    of_one = (TOKENS, "vector")
    return (TOKENS, TOKENS) if _reads(case, _laid_out(case, TOKENS, TOKENS)) else of_one


def _laid_out(case: Case, student: int | str, teacher: int | str) -> World:
    """The case's world with other positions at its taps, and as many channels."""
    world, random = case.fresh(), torch.Generator().manual_seed(5)

    def drawn(tensor: Tensor, layout: int | str) -> Tensor:
        channels = tensor.shape[2] if tensor.ndim == 3 else tensor.shape[1]
        shapes = {"grid": (channels, 3, 3), "vector": (channels,)}
        shape = (layout, channels) if isinstance(layout, int) else shapes[layout]
        return torch.randn(ROWS, *shape, generator=random, dtype=torch.float64)

    sides = (
        replace(side, features={tap: drawn(features, layout) for tap, features in side.features.items()})
        for side, layout in ((world.student, student), (world.teacher, teacher))
    )
    return World(*sides, replace(world.batch, mask=None))


def _masked(world: World, count: int) -> World:
    lengths = torch.tensor([count, 1, 2, count - 1, 3, 2])[:, None]
    return replace(world, batch=replace(world.batch, mask=torch.arange(count) < lengths))


def _tokens(world: World, change: Callable[[Tensor], Tensor]) -> World:
    """Activations changed whose positions are those of the mask."""
    mask = world.batch.mask

    def changed(tensor: Tensor) -> Tensor:
        return change(tensor) if tensor.ndim == 3 and tensor.shape[:2] == mask.shape else tensor

    return replace(world, student=mapped(world.student, changed), teacher=mapped(world.teacher, changed))


def _filled(world: World) -> tuple[World, list[Tensor]]:
    """Other padding; and the student's tokens, as leaves."""
    mask, noise, leaves = world.batch.mask, torch.Generator().manual_seed(1), []

    def filled(tensor: Tensor) -> Tensor:
        other = 50 * torch.randn(tensor.shape, generator=noise, dtype=tensor.dtype)
        leaves.append(torch.where(mask[:, :, None], tensor, other).requires_grad_())
        return leaves[-1]

    other = _tokens(world, filled)
    return other, [leaf for leaf in leaves if any(leaf is tensor for tensor in other.student.features.values())]


def _moved(world: World, length: int, *, front: bool) -> World:
    """The same real tokens among more padding, behind it or before it."""
    given = world.batch.mask
    mask = torch.arange(length) < given.sum(dim=1)[:, None]
    mask = mask.flip(1) if front else mask
    noise = torch.Generator().manual_seed(2)

    def moved(tensor: Tensor) -> Tensor:
        other = 50 * torch.randn(ROWS, length, tensor.shape[2], generator=noise, dtype=tensor.dtype)
        other[mask] = tensor[given]
        return other

    other = _tokens(world, moved)
    return replace(other, batch=replace(other.batch, mask=mask))
