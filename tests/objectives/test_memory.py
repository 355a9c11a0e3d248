"""CRD's memory: bounded, keyed by example, the same after a resume; and gradients by the input, end to end."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from limbeck.core.input_gradient import input_gradient
from limbeck.core.signals import Signals
from limbeck.errors import ModelError, RecipeError
from limbeck.objectives import CRD, OFA, AttentionRelations, GradientAttention, Review
from limbeck.objectives.memory import Memory

from .references_features import scrambled
from .worlds import batch_of, features_world


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def stories(steps, rows=5, width=3):
    """Batches of examples that come again, some of them twice in one batch, some without weight."""
    random = torch.Generator().manual_seed(1)
    for step in range(steps):
        ids = torch.randint(-4, 12, (rows,), generator=random)
        counts = torch.rand(rows, generator=random) < 0.8
        yield ids, counts, drawn(rows, width, seed=2 * step), drawn(rows, width, seed=2 * step + 1)


def told(memory, steps):
    for step in steps:
        memory.remember(*step)
    return memory


@pytest.mark.parametrize("slots", [1, 4, 64])
def test_it_is_a_table_with_so_many_places(slots):
    memory, table = Memory(slots, 3, 0.5), {}
    for ids, counts, student, teacher in stories(20):
        memory.remember(ids, counts, student, teacher)
        written = set()
        for example, there, *vectors in zip(ids.tolist(), counts.tolist(), student, teacher, strict=True):
            slot = scrambled(example % 2**64) % 2**63 % slots
            if not there or slot in written:
                continue
            written.add(slot)
            if slot in table and table[slot][0] == example:
                mixed = [0.5 * old + 0.5 * new for old, new in zip(table[slot][1:], vectors, strict=True)]
            else:
                mixed = vectors
            table[slot] = (example, *(vector / vector.norm() for vector in mixed))
    assert memory.filled.nonzero().flatten().tolist() == sorted(table)
    for slot, (example, student, teacher) in table.items():
        assert memory.ids[slot] == example
        assert torch.allclose(memory.student[slot], student, atol=1e-6)
        assert torch.allclose(memory.teacher[slot], teacher, atol=1e-6)
    assert not memory.filled[slots]


def test_it_is_resumed_from_its_state():
    whole, steps = told(Memory(7, 3, 0.5), stories(10)), list(stories(10))
    again = Memory(7, 3, 0.5)
    again.load_state_dict(told(Memory(7, 3, 0.5), steps[:4]).state_dict())
    told(again, steps[4:])
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in whole.state_dict().items())


def test_training_remembers_and_evaluation_does_not():
    world = features_world((3, 2, 2), (5,))(torch.Generator().manual_seed(0)).cast(torch.float32)
    objective = CRD("tap", "tap", width=4, memory=16)
    objective.build(world.shapes(world.student), world.shapes(world.teacher))
    first = objective.eval()(world.student, world.teacher, world.batch)["crd"].item()
    assert not objective.bank.filled.any()
    assert objective.train()(world.student, world.teacher, world.batch)["crd"].item() == first
    assert objective.bank.filled.sum() > 3
    others = replace(world.batch, ids=world.batch.ids + 100)
    assert objective.eval()(world.student, world.teacher, others)["crd"].item() > first  # more to be told from
    assert objective(world.student, world.teacher, world.batch)["crd"].item() != first


def test_what_is_remembered_does_not_disturb_the_gradient():
    world = features_world((3, 2, 2), (5,))(torch.Generator().manual_seed(0)).cast(torch.float32)
    slopes = []
    for training in (False, True):
        torch.manual_seed(0)
        objective = CRD("tap", "tap", width=4, memory=16)
        objective.build(world.shapes(world.student), world.shapes(world.teacher))
        objective(world.student, world.teacher, world.batch)
        others = replace(world.batch, ids=world.batch.ids + 100)
        objective.train(training)(world.student, world.teacher, others)["crd"].backward()
        slopes.append([parameter.grad for parameter in objective.parameters()])
    assert all(torch.equal(one, two) for one, two in zip(*slopes, strict=True))


def test_more_negatives_are_harder_and_a_lone_row_is_no_contrast():
    world = features_world((4,), (4,))(torch.Generator().manual_seed(0))
    objective = CRD("tap", "tap", width=4)
    objective.build(world.shapes(world.student), world.shapes(world.teacher))
    alone = world.take(slice(0, 1)).cast(torch.float32)
    assert objective(alone.student, alone.teacher, alone.batch)["crd"].item() == pytest.approx(0, abs=1e-6)


def test_gradients_by_the_input_reach_the_student_through_the_second_derivative():
    pixels = drawn(6, 1, 3, 3).requires_grad_()
    student = nn.Sequential(nn.Flatten(), nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, 5))
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(9, 5)).requires_grad_(requires_grad=False)
    batch = replace(batch_of(torch.Generator().manual_seed(0)), weight=None)
    said = Signals(input_gradient=input_gradient(student(pixels), pixels, batch.target, student=True))
    heard = Signals(input_gradient=input_gradient(teacher(pixels), pixels, batch.target, student=False))
    assert not heard.input_gradient.requires_grad
    loss = GradientAttention()(said, heard, batch)["gradient-attention"]
    loss.backward()
    assert all(parameter.grad.any() for parameter in student[1].parameters())
    torch.optim.SGD(student.parameters(), lr=1e-3).step()
    after = Signals(input_gradient=input_gradient(student(pixels), pixels, batch.target, student=True))
    assert GradientAttention()(after, heard, batch)["gradient-attention"].item() < loss.item()


def test_an_input_gradient_is_that_of_each_row_alone():
    pixels, target = drawn(4, 3).requires_grad_(), torch.tensor([0, 1, 1, 0])
    net = nn.Linear(3, 2)
    whole = input_gradient(net(pixels), pixels, target, student=False)
    p = torch.softmax(net(pixels), dim=1) - nn.functional.one_hot(target, 2)
    assert torch.allclose(whole, p @ net.weight, atol=1e-6)


def test_arguments_that_contradict_each_other_are_refused():
    with pytest.raises(RecipeError, match="1 or 3 paths"):
        AttentionRelations(("a", "b"), ("a",))
    with pytest.raises(RecipeError, match="1 or 3 paths"):
        AttentionRelations("abc", ("a",))
    with pytest.raises(RecipeError, match="as many paths"):
        Review(("a", "b"), ("a", "b", "c"))
    with pytest.raises(RecipeError, match="two or more"):
        Review(("a",), ("a",))
    with pytest.raises(RecipeError, match="examples: 0"):
        CRD("a", "a", examples=0)
    with pytest.raises(RecipeError, match="classes: 1"):
        OFA("a", classes=1)


def test_widths_that_no_head_divides_are_named():
    with pytest.raises(ModelError, match=r"the student's 'a' has shape \(4, 10\).*that 12 divides"):
        AttentionRelations(("a",) * 3, ("b",) * 3).build({"a": (4, 10)}, {"b": (4, 12)})
