"""Sums made in stretches: the same value, gradient and second derivative, and little held."""

import weakref

import pytest
import torch

from limbeck.objectives import rkd_angle as module
from limbeck.objectives.pieces import summed
from limbeck.objectives.rkd_angle import rkd_angle


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def curved(stretch, x, y):
    return (x[stretch, None] * y).sin().sum()


def test_stretches_add_up_whatever_their_length():
    x, y = drawn(7).requires_grad_(), drawn(3, seed=1).requires_grad_()
    whole = curved(slice(None), x, y)
    expected = torch.autograd.grad(whole, (x, y))
    for at_once in (1, 3, 7, 50):
        value = summed(curved, 7, at_once, x, y)
        assert torch.allclose(value, whole)
        for slope, same in zip(torch.autograd.grad(3 * value, (x, y)), expected, strict=True):
            assert torch.allclose(slope, 3 * same)


def test_first_and_second_derivatives_are_the_slopes():
    x, y = drawn(5).requires_grad_(), drawn(3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda *both: summed(curved, 5, 2, *both), (x, y))
    assert torch.autograd.gradgradcheck(lambda *both: summed(curved, 5, 2, *both), (x, y))


def test_what_needs_no_gradient_gets_none_and_what_is_not_read_a_zero():
    x, y, unread = drawn(5).requires_grad_(), drawn(3, seed=1), drawn(2).requires_grad_()
    summed(lambda stretch, x, y, _: curved(stretch, x, y), 5, 2, x, y, unread).backward()
    assert x.grad.any()
    assert y.grad is None
    assert unread.grad is None or not unread.grad.any()


def test_without_a_graph_no_gradient_is_made():
    x = drawn(5).requires_grad_()
    with torch.no_grad():
        value = summed(lambda stretch, x: (x[stretch] ** 2).sum(), 5, 2, x)
    assert not value.requires_grad
    assert value.item() == pytest.approx((x**2).sum().item())


@pytest.mark.parametrize("width", [3, 80], ids=["narrow", "wide"])
@pytest.mark.parametrize("variant", ["paper", "code"])
def test_angles_in_stretches_are_the_angles(width, variant, monkeypatch):
    rows, others, weight = drawn(9, width).requires_grad_(), drawn(9, 5, seed=1), drawn(9, seed=2).abs()
    weight[4] = 0
    with torch.no_grad():
        rows[2] = rows[1]  # no angle there
    whole = rkd_angle(rows, others, weight, variant)
    (expected,) = torch.autograd.grad(whole, rows)
    monkeypatch.setattr(module, "_AT_ONCE", 2 * 9**2)
    value = rkd_angle(rows, others, weight, variant)
    assert value.item() == pytest.approx(whole.item(), rel=1e-12)
    assert torch.allclose(torch.autograd.grad(value, rows)[0], expected, rtol=1e-9)


@pytest.mark.parametrize("width", [3, 80], ids=["narrow", "wide"])
def test_angles_both_ways_are_the_same(width, monkeypatch):
    """Directions multiplied, and products of rows."""
    rows, others = drawn(6, width), drawn(6, 5, seed=1)
    found = []
    for most in (0, 100):
        monkeypatch.setattr(module, "_NARROW", most)
        found.append(rkd_angle(rows, others).item())
    assert found[0] == pytest.approx(found[1], rel=1e-10)


def test_angles_of_a_batch_are_never_all_held():
    """What the finished graph keeps is of the size of pairs, not of triplets."""
    rows, others = drawn(96, 10).float().requires_grad_(), drawn(96, 10, seed=1).float()
    held = weakref.WeakSet()

    class Held:
        def __init__(self, tensor):
            self.tensor = tensor
            held.add(self)

    with torch.autograd.graph.saved_tensors_hooks(Held, lambda each: each.tensor):
        value = rkd_angle(rows, others)
    assert max(each.tensor.untyped_storage().nbytes() for each in held) <= 4 * 96**2
    value.backward()
