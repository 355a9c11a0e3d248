"""Sums and means over positions: padding is left out, and nothing divides by what is not there."""

import pytest
import torch

from limbeck.objectives.positions import mean, size, total


@pytest.mark.parametrize("shape", [(2, 3, 0), (2, 0, 3), (2, 4, 0, 5), (2, 0)])
def test_rows_without_values_have_a_mean_of_zero(shape):
    empty = torch.zeros(shape, requires_grad=True)
    assert size(empty) == 1
    assert mean(empty).tolist() == total(empty).tolist() == [0.0, 0.0]
    mean(empty).sum().backward()
    assert empty.grad.shape == shape


def test_rows_of_padding_alone_have_a_mean_of_zero():
    tokens, real = torch.ones(2, 3, 4), torch.tensor([[True, True, False], [False, False, False]])
    assert size(tokens, real).tolist() == [8, 1]
    assert mean(tokens, real).tolist() == [1.0, 0.0]


def test_without_a_mask_all_values_count():
    values = torch.arange(12.0).reshape(2, 3, 2)
    assert size(values) == 6
    assert torch.equal(mean(values), values.mean(dim=(1, 2)))
