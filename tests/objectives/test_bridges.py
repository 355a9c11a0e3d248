"""Bridges lead from any layout to any other that makes sense, and say why not where it does not."""

from itertools import product

import pytest
import torch
from torch import nn

from limbeck.errors import ModelError
from limbeck.objectives.bridges import bridge, plan
from limbeck.objectives.bridges.modules import pool, resize, stretch, to_grid, to_tokens

VECTORS = [(6,), (9,)]
GRIDS = [(6, 4, 4), (6, 8, 8), (9, 3, 5), (6, 1, 1)]
PIXELS = [(16, 6), (17, 6), (65, 9), (66, 6), (9, 6), (14, 6)]
SEQUENCES = [(12, 6), (13, 6), (7, 9)]
ACROSS = [
    *product(VECTORS + GRIDS + PIXELS + SEQUENCES, VECTORS),
    *product(GRIDS + PIXELS, GRIDS + PIXELS),
    *product(PIXELS + SEQUENCES, SEQUENCES),
    *product(SEQUENCES, PIXELS),
]


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(("student", "teacher"), ACROSS)
def test_a_bridge_gives_the_teachers_shape_and_is_differentiable(student, teacher):
    made = bridge(student, teacher).double()
    features = drawn(2, *student).requires_grad_()
    result = made(features)
    assert result.shape == (2, *teacher)
    result.square().sum().backward()
    assert features.grad.any()
    assert all(parameter.grad.any() for parameter in made.parameters())


@pytest.mark.parametrize("shape", VECTORS + GRIDS + PIXELS + SEQUENCES)
def test_where_shapes_agree_it_is_the_identity(shape):
    made = bridge(shape, shape)
    assert plan(shape, shape) == ()
    assert not list(made.parameters())
    features = drawn(2, *shape)
    assert made(features) is features
    learned = bridge(shape, shape, learned=True, bias=False)
    assert sum(parameter.numel() for parameter in learned.parameters()) == shape[-1 if len(shape) < 3 else 0] ** 2


@pytest.mark.parametrize(("student", "teacher"), ACROSS)
def test_only_channels_are_learned(student, teacher):
    channels = [shape[0] if len(shape) != 2 else shape[1] for shape in (student, teacher)]
    count = sum(parameter.numel() for parameter in bridge(student, teacher).parameters())
    assert count == (0 if channels[0] == channels[1] else channels[1] * (channels[0] + 1))


@pytest.mark.parametrize(
    ("student", "teacher", "mend"),
    [
        ((6,), (6, 4, 4), "before it pools"),
        ((6,), (16, 6), "before it pools"),
        ((12, 6), (6, 4, 4), "12 tokens are no square"),
        ((6, 4, 4), (13, 6), "13 tokens are no square"),
        ((6, 4, 4, 4), (6, 4, 4), "tap another layer"),
        ((6, 4, 4), (), "tap another layer"),
    ],
)
def test_what_leads_nowhere_is_refused_with_both_shapes_and_the_mend(student, teacher, mend):
    with pytest.raises(ModelError, match=mend) as caught:
        bridge(student, teacher)
    assert str(student) in str(caught.value)
    assert str(teacher) in str(caught.value)


def test_sequences_are_no_pixels():
    assert bridge((16, 6), (9, 6), sequence=True).steps != bridge((16, 6), (9, 6)).steps
    with pytest.raises(ModelError, match="tap"):
        bridge((16, 6), (6, 4, 4), sequence=True)


def test_another_shape_than_it_was_built_for_is_refused():
    with pytest.raises(ModelError, match=r"\(6, 5, 5\).*built for \(6, 4, 4\)"):
        bridge((6, 4, 4), (6, 8, 8))(drawn(2, 6, 5, 5))


def test_tokens_and_pixels_are_in_reading_order():
    grid = drawn(2, 3, 4, 5)
    for prefix in (0, 1, 2):
        tokens = to_tokens(grid, prefix)
        assert torch.equal(to_grid(tokens, prefix, (4, 5)), grid)
        assert all(torch.allclose(tokens[:, p], grid.mean(dim=(2, 3))) for p in range(prefix))
    assert torch.equal(to_tokens(grid)[1, 7], grid[1, :, 1, 2])


def test_class_tokens_stay_where_grids_of_tokens_are_resized():
    tokens = drawn(2, 17, 6)
    smaller = bridge((17, 6), (5, 6))(tokens)
    assert torch.equal(smaller[:, 0], tokens[:, 0])
    assert torch.allclose(smaller[:, 1], tokens[:, 1:].reshape(2, 4, 4, 6)[:, :2, :2].mean(dim=(1, 2)))


def test_resizing_keeps_what_is_constant():
    grid = drawn(2, 3, 1, 1).expand(2, 3, 6, 4)
    for size in ((6, 4), (3, 2), (12, 8), (3, 8), (5, 5)):
        assert torch.allclose(resize(grid, size), grid[:, :, :1, :1].expand(2, 3, *size))


def test_a_stretched_sequence_is_linear_between_its_ends_and_keeps_constants():
    ramp = torch.arange(4.0, dtype=torch.float64).expand(1, 4)[:, :, None]
    doubled = stretch(ramp, 8)[0, :, 0]
    assert doubled.tolist() == pytest.approx([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    assert stretch(ramp, 2)[0, :, 0].tolist() == pytest.approx([0.5, 2.5])
    assert torch.allclose(stretch(torch.ones(2, 5, 3), 9), torch.ones(2, 9, 3))


def test_padding_takes_no_part_wherever_it_stands():
    tokens, made = drawn(2, 6, 3), bridge((6, 3), (4, 3), sequence=True)
    right = torch.tensor([[True] * 3 + [False] * 3, [True] * 6])
    result = made(tokens, right)
    assert made.mask_of(right).tolist() == [[True, True, False, False], [True] * 4]
    assert torch.allclose(result[:1, :2], stretch(tokens[:1, :3], 2))
    assert torch.allclose(result[1:], stretch(tokens[1:], 4))
    noisy = torch.where(right[:, :, None], tokens, 1e6)
    assert torch.equal(made(noisy, right), result)
    assert torch.equal(made(tokens.roll(3, dims=1), right.roll(3, dims=1))[0, :2], result[0, :2])
    assert torch.allclose(pool(noisy, right)[0], tokens[0, :3].mean(dim=0))
    assert bridge((6, 3), (6, 4)).mask_of(right) is right


def test_it_ships_in_checkpoints_and_reads_back():
    made, again = bridge((6, 4, 4), (9, 8, 8)), bridge((6, 4, 4), (9, 8, 8))
    again.load_state_dict(made.state_dict())
    features = drawn(2, 6, 4, 4).float()
    assert torch.equal(made(features), again(features))
    assert [type(part) for part in made.children()] == [nn.Conv2d]
