"""Predictions and qualities on batches."""

import numpy as np
import pytest
import torch
from torch import nn

from limbeck.core.batch import Batch
from limbeck.core.protocols import Evaluate
from limbeck.errors import DataError, ModelError
from limbeck.measuring.evaluate import Evaluator, predict
from limbeck.measuring.quality import quality
from limbeck.task import Multiclass


def batches(inputs, target=None, *, size=4, mask=None, weight=None):
    for start in range(0, len(inputs), size):
        rows = slice(start, start + size)
        ids = torch.arange(len(inputs))[rows]
        yield Batch(
            ids=ids,
            views=torch.zeros_like(ids),
            inputs=inputs[rows],
            target=None if target is None else target[rows],
            target_mask=None if mask is None else mask[rows],
            weight=None if weight is None else weight[rows],
        )


@pytest.fixture
def data():
    torch.manual_seed(0)
    return torch.randn(11, 6), torch.randint(0, 3, (11,))


@pytest.fixture
def net():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.9), nn.Linear(8, 3))
    model[1].eval()  # a frozen part must stay frozen
    return model


def test_predictions_are_those_of_eval_mode(net, data):
    found = predict(net, batches(data[0]))
    assert found.dtype == np.float32
    assert found.shape == (11, 3)
    net.eval()
    np.testing.assert_allclose(found, net(data[0]).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_no_trace_is_left(net, data):
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    evaluator: Evaluate = Evaluator(lambda: batches(*data), Multiclass())
    first = evaluator(net)
    assert first == evaluator(net)
    assert [module.training for module in net] == [True, False, True, True]
    assert net.training
    assert all(torch.equal(state[name], tensor) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())


def test_modes_come_back_after_an_exception(net):
    with pytest.raises(RuntimeError):
        predict(net, batches(torch.zeros(3, 5)))
    assert [module.training for module in net] == [True, False, True, True]


def test_qualities_are_those_of_the_task(net, data):
    found = Evaluator(lambda: batches(*data), Multiclass())(net)
    expected = quality(Multiclass(), predict(net, batches(*data)), data[1].numpy())
    assert found == {f"val/{name}": pytest.approx(value.value) for name, value in expected.items()}
    assert set(Evaluator(lambda: batches(*data), Multiclass(), split="test")(net)) >= {"test/accuracy", "test/nll"}


def test_unlabelled_rows_and_padding_are_left_out(net, data):
    inputs, target = data
    mask = torch.arange(11) % 3 != 0
    weight = (torch.arange(11) < 9).float()
    target = torch.where(mask, target, 99)
    assert predict(net, batches(inputs, weight=weight)).shape == (9, 3)
    found = Evaluator(lambda: batches(inputs, target, mask=mask, weight=weight), Multiclass())(net)
    kept = mask & (weight > 0)
    expected = quality(Multiclass(), predict(net, batches(inputs[kept])), target[kept].numpy())
    assert found["val/nll"] == pytest.approx(expected["nll"].value, rel=1e-5)


def test_what_cannot_be_evaluated_is_said(net, data):
    with pytest.raises(DataError, match="no example is labelled"):
        Evaluator(lambda: batches(data[0]), Multiclass())(net)
    with pytest.raises(DataError, match="no examples"):
        predict(net, iter(()))
    with pytest.raises(ModelError, match="returned tuple"):
        predict(nn.LSTM(6, 3), batches(data[0]))
    with pytest.raises(ModelError, match="given 4 examples"):
        predict(nn.Flatten(0), batches(data[0]))


def test_half_precision_is_given_as_float32(data):
    found = predict(nn.Linear(6, 3).to(torch.bfloat16), batches(data[0].to(torch.bfloat16)))
    assert found.dtype == np.float32
