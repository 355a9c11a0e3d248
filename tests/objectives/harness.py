"""One harness for every objective: a table of cases, and the laws that each case says it keeps.

A new objective is tested by a line in a table of cases: how to make it, a world it can read, its formula written a
second time, and what it promises beyond what all promise.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from limbeck import objectives
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.objectives import Objective

from . import cases_features, cases_labels, cases_outputs, cases_relations
from .case import Case, built
from .limits import approached
from .padding import (
    a_mask_without_padding_is_no_mask,
    a_row_of_padding_alone_is_finite,
    leaves_padding_out,
    padded_positions_change_nothing,
    padding_may_be_more_and_stand_anywhere,
    reads_taps,
)
from .worlds import World, mapped

CASES: tuple[Case, ...] = (*cases_labels.CASES, *cases_outputs.CASES, *cases_relations.CASES, *cases_features.CASES)


def value(objective: Objective, world: World) -> Tensor:
    """The sum of its terms."""
    return torch.stack(list(terms(objective, world).values())).sum()


def terms(objective: Objective, world: World) -> Mapping[str, Tensor]:
    """With what it learns in the precision of the world."""
    floats = [tensor.dtype for tensor in world.leaves(world.student)]
    objective.double() if torch.float64 in floats else objective.float()
    return objective(*parts(world))


def gradients(objective: Objective, world: World) -> list[Tensor]:
    """By each float tensor of the student's; the world is left as it was."""
    return value_and_gradients(objective, world)[1:]


def value_and_gradients(objective: Objective, world: World) -> list[Tensor]:
    """Of one pass."""
    student = replace_leaves(world.student, lambda tensor: tensor.detach().clone().requires_grad_())
    leaves = world.leaves(student)
    found = value(objective, replace(world, student=student))
    return [found.detach(), *torch.autograd.grad(found, leaves, allow_unused=True)]


def replace_leaves(signals: Signals, change: Callable[[Tensor], Tensor]) -> Signals:
    return mapped(signals, lambda tensor: change(tensor) if tensor.is_floating_point() else tensor)


def a_little(tensor: Tensor) -> Tensor:
    """From -1 to 1 over each row."""
    return (torch.linspace(-1, 1, tensor[0].numel()) ** 3).reshape(tensor.shape[1:])


# The laws. Each takes a case; those that a case cannot be held to skip nothing: they are not collected (see `LAWS`).


def terms_are_named_scalars(case: Case) -> None:
    for dtype in (torch.float64, torch.float32):
        named = terms(case.ready(), case.fresh().cast(dtype))
        assert named
        assert all(name.startswith(case.method) for name in named)
        assert all(term.shape == () and term.dtype == dtype and torch.isfinite(term) for term in named.values())


def it_is_the_formula(case: Case) -> None:
    for seed in range(5):
        world = case.fresh(seed)
        expected = case.expected(world)
        assert value(case.ready(), world).item() == pytest.approx(expected, rel=1e-10, abs=1e-12)
        single = value(case.ready(), world.cast(torch.float32)).item()
        assert single == pytest.approx(expected, rel=1e-4, abs=1e-5)


def zero_at_equality(case: Case) -> None:
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        world = case.fresh().cast(dtype)
        equal = replace(world, student=world.teacher)
        assert value(case.ready(), equal).item() == 0
        assert all(gradient.abs().max() < 1e-5 for gradient in gradients(case.ready(), equal))


def never_negative(case: Case) -> None:
    for seed in range(20):
        assert value(case.ready(), case.fresh(seed)).item() >= 0
    if case.divergence:  # closest to 0 the sum of many terms rounds
        for distance in (1e-1, 1e-3, 1e-5):
            world = case.fresh()
            near = replace_leaves(world.teacher, lambda t, d=distance: t + d * a_little(t))
            assert value(case.ready(), replace(world, student=near)).item() > -1e-13 * 20**2


def gradient_is_the_slope(case: Case) -> None:
    """Of each term: by all that the student says and the objective learns, save what the term takes as given."""
    world, objective = case.fresh(), case.ready()
    for term in terms(objective, world):
        given = tuple(prefix for of_term, prefix in case.given if of_term == term)
        _is_the_slope(objective, world, term, given)


def _is_the_slope(objective: Objective, world: World, term: str, given: tuple[str, ...]) -> None:
    said, learned = world.leaves(world.student), dict(objective.named_parameters())
    free = [name for name in learned if not name.startswith(given)] if given else [*learned]

    def of(*tensors: Tensor) -> Tensor:
        these = iter(tensors)
        student = replace_leaves(world.student, lambda _: next(these))
        changed = learned | dict(zip(free, these, strict=True))
        return functional_call(objective, changed, parts(replace(world, student=student)))[term]

    leaves = [tensor.detach().clone().requires_grad_() for tensor in (*said, *map(learned.get, free))]
    assert torch.autograd.gradcheck(of, leaves, fast_mode=True)
    kept = [learned[name] for name in learned if name not in free]
    slopes = torch.autograd.grad(terms(objective, world)[term], kept, allow_unused=True) if kept else ()
    assert not any(slope is not None and slope.any() for slope in slopes)


def half_precision_is_finite(case: Case) -> None:
    for dtype in (torch.float16, torch.bfloat16):
        for scale in (1.0, case.stretch):
            world = replace(case.fresh(), student=replace_leaves(case.fresh().student, lambda t, s=scale: t * s))
            world = world.cast(dtype)
            result = value(case.ready(), world)
            assert result.dtype == torch.float32
            assert torch.isfinite(result)
            assert all(torch.isfinite(gradient).all() for gradient in gradients(case.ready(), world))


def padding_changes_nothing(case: Case) -> None:
    world, objective = case.fresh(), case.ready()
    padded = world.take(torch.tensor([*range(len(world.batch)), 0, 3]))
    weight = torch.cat([world.weight, torch.zeros(2, dtype=world.weight.dtype)])
    padded = padded.weighed(weight)
    assert value(objective, padded).item() == pytest.approx(value(objective, world).item(), rel=1e-12)
    slopes, padded_slopes = gradients(objective, world), gradients(objective, padded)
    for slope, longer in zip(slopes, padded_slopes, strict=True):
        assert torch.allclose(longer[: len(slope)], slope, rtol=1e-10)
        assert not longer[len(slope) :].any()


def weights_are_relative(case: Case) -> None:
    world, objective = case.fresh(), case.ready()
    plain = value(objective, world).item()
    assert value(objective, world.weighed(1000 * world.weight)).item() == pytest.approx(plain, rel=1e-12)
    even = value(objective, world.weighed(None)).item()
    assert value(objective, world.weighed(torch.full_like(world.weight, 0.3))).item() == pytest.approx(even, rel=1e-12)
    twice = world.weighed(torch.tensor([2.0, 1, 1, 1, 1, 1], dtype=torch.float64))
    repeated = world.take(torch.tensor([0, *range(len(world.batch))])).weighed(None)
    if not objective.couples_batch:
        assert value(objective, twice).item() == pytest.approx(value(objective, repeated).item(), rel=1e-12)


def no_weight_at_all_is_zero(case: Case) -> None:
    world, objective = case.fresh(), case.ready()
    nothing = world.weighed(torch.zeros_like(world.weight))
    assert value(objective, nothing).item() == 0
    assert not any(gradient.any() for gradient in gradients(objective, nothing))


def order_does_not_matter(case: Case) -> None:
    world, objective = case.fresh(), case.ready()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = world.take(order)
    assert value(objective, shuffled).item() == pytest.approx(value(objective, world).item(), rel=1e-12)
    for slope, moved in zip(gradients(objective, world), gradients(objective, shuffled), strict=True):
        assert torch.allclose(moved, slope[order], rtol=1e-10)


def the_split_does_not_matter(case: Case) -> None:
    """A mean of the halves, weighted by their mass, is the whole, for objectives that look at one row at a time."""
    world, objective = case.fresh(), case.ready()
    halves = [world.take(slice(0, 2)), world.take(slice(2, None))]
    counted = [case.counts(half).sum().item() for half in halves]
    assert [objective.mass(half.batch) for half in halves] == pytest.approx(counted)
    mean = sum(c * value(objective, half).item() for c, half in zip(counted, halves, strict=True)) / sum(counted)
    assert mean == pytest.approx(value(objective, world).item(), rel=1e-12)


def no_gradient_into_the_teacher(case: Case) -> None:
    world = case.fresh()
    teacher = replace_leaves(world.teacher, lambda tensor: tensor.clone().requires_grad_())
    student = replace_leaves(world.student, lambda tensor: tensor.clone().requires_grad_())
    value(case.ready(), replace(world, student=student, teacher=teacher)).backward()
    assert all(leaf.grad is not None and leaf.grad.any() for leaf in world.leaves(student))
    assert all(leaf.grad is None or not leaf.grad.any() for leaf in world.leaves(teacher))


def twice_is_the_same(case: Case) -> None:
    world, objective = case.fresh(), case.ready()
    before = {name: tensor.clone() for name, tensor in objective.state_dict().items()}
    assert value(objective, world).item() == value(objective, world).item()
    assert all(torch.equal(tensor, before[name]) for name, tensor in objective.state_dict().items())


def plain_tensors_give_the_same(case: Case) -> None:
    world, objective = case.fresh(), case.ready()
    assert objective(*case.plain(world)).item() == value(objective, world.weighed(None)).item()
    weighed = objective.on_tensors(*case.plain(world), world.weight)
    assert weighed.item() == value(objective, world).item()


def it_needs_what_it_says(case: Case) -> None:
    world, objective = case.fresh(), case.ready()
    needs = objective.needs()
    if needs.teacher:
        with pytest.raises(ModelError, match=case.method):
            objective(world.student, None, world.batch)
    else:
        assert torch.equal(value(objective, replace(world, teacher=None)), value(objective, world))
    unlabelled = replace(world, batch=replace(world.batch, target=None, target_mask=None))
    if needs.labels:
        with pytest.raises(ModelError, match=case.method):
            value(objective, unlabelled)
    else:
        assert torch.equal(value(objective, unlabelled), value(objective, world))
    with pytest.raises(ModelError, match=case.method):
        value(objective, replace(world, student=Signals()))


def its_text_makes_it_again(case: Case) -> None:
    objective = case.ready()
    again = built(eval(str(objective), vars(objectives).copy()), case.fresh())
    assert str(again) == str(objective)
    assert value(again, case.fresh()).item() == value(objective, case.fresh()).item()


def changes_of_the_same(case: Case) -> None:
    """Of the student, of the teacher, or of both."""
    world, objective = case.fresh(), case.ready()
    plain = value(objective, world).item()
    for other in (
        *(replace(world, student=replace_leaves(world.student, each)) for each in (*case.same, *case.student_same)),
        *(replace(world, teacher=replace_leaves(world.teacher, each)) for each in (*case.same, *case.teacher_same)),
        *(change(world) for change in case.alike),
    ):
        assert value(objective, other).item() == pytest.approx(plain, rel=1e-9, abs=1e-12)


def it_tends_to_its_limits(case: Case) -> None:
    """As its temperature grows without end, and as it vanishes."""
    world, limits = case.fresh(), case.limits

    def value_at(temperature: float) -> float:
        return value(built(limits.at(temperature), world), world).item()

    for limit, hot in ((limits.hot, True), (limits.cold, False)):
        approached(limit, value_at, case.by(limit.reference, world), hot=hot)


def all_that_it_learns_is_taught(case: Case) -> None:
    world, objective = case.fresh(), case.ready()
    value(objective, world).backward()
    assert all(parameter.grad.any() for parameter in objective.parameters())


def its_state_makes_it_again(case: Case) -> None:
    """Bridges and memories come back from a checkpoint, in what was freshly built."""
    world, objective, again = case.fresh(), case.ready(), case.make()
    again.build(world.shapes(world.student), world.shapes(world.teacher))
    again.double().eval().load_state_dict(objective.state_dict())
    assert value(again, world).item() == value(objective, world).item()


def parts(world: World):
    return world.student, world.teacher, world.batch


LAWS: Mapping[Callable[[Case], None], Callable[[Case], bool]] = {
    terms_are_named_scalars: lambda _: True,
    it_is_the_formula: lambda _: True,
    zero_at_equality: lambda case: case.divergence,
    never_negative: lambda case: not case.negative,
    gradient_is_the_slope: lambda _: True,
    half_precision_is_finite: lambda _: True,
    padding_changes_nothing: lambda _: True,
    weights_are_relative: lambda _: True,
    no_weight_at_all_is_zero: lambda _: True,
    order_does_not_matter: lambda _: True,
    the_split_does_not_matter: lambda case: not case.make().couples_batch,
    no_gradient_into_the_teacher: lambda _: True,
    twice_is_the_same: lambda _: True,
    plain_tensors_give_the_same: lambda case: case.plain is not None,
    it_needs_what_it_says: lambda _: True,
    its_text_makes_it_again: lambda _: True,
    its_state_makes_it_again: lambda case: case.learned,
    changes_of_the_same: lambda case: case.has_symmetries,
    it_tends_to_its_limits: lambda case: case.limits is not None,
    padded_positions_change_nothing: reads_taps,
    padding_may_be_more_and_stand_anywhere: leaves_padding_out,
    a_mask_without_padding_is_no_mask: leaves_padding_out,
    a_row_of_padding_alone_is_finite: leaves_padding_out,
    all_that_it_learns_is_taught: lambda case: bool([*case.ready().parameters()]),
}
"""Law -> whether a case is held to it."""
