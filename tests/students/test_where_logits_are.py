"""Modules that return dictionaries, tuples and dataclasses: one place says where the logits are."""

import copy
from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from limbeck.core.outputs import LogitsOf, described, inner, place_of, taken
from limbeck.errors import ModelError

LOGITS, HIDDEN = torch.randn(2, 10), torch.randn(2, 4)
Pair = namedtuple("Pair", ["hidden", "logits"])  # noqa: PYI024


@dataclass
class Answer:
    logits: torch.Tensor
    loss: torch.Tensor | None = None


class ModelOutput(OrderedDict):
    """As transformers has them: an ordered dictionary whose keys are attributes too."""

    def __getattr__(self, name):
        if name not in self:
            raise AttributeError(name)
        return self[name]


@pytest.mark.parametrize(
    ("found", "output"),
    [
        ({"logits": LOGITS, "hidden": HIDDEN}, "logits"),
        (ModelOutput(loss=None, logits=LOGITS), "logits"),
        (Answer(LOGITS), "logits"),
        (Pair(HIDDEN, LOGITS), "logits"),
        (Pair(HIDDEN, LOGITS), 1),
        ((HIDDEN, LOGITS), 1),
        ([LOGITS, HIDDEN], 0),
        ((HIDDEN, LOGITS), -1),
    ],
)
def test_the_logits_are_found(found, output):
    assert taken(found, output) is LOGITS
    if output != -1:
        assert taken(found, place_of(found, (2, 10))) is LOGITS


@pytest.mark.parametrize(
    ("found", "output", "said"),
    [
        ({"scores": LOGITS}, "logits", "no tensor at 'logits' in what the model gave: dict of scores (2, 10)"),
        ((HIDDEN,), 1, "no tensor at 1 in what the model gave: tuple of 0 (2, 4)"),
        (Answer(LOGITS), "loss", "no tensor at 'loss' in what the model gave: Answer of logits (2, 10), loss NoneType"),
        ({"logits": LOGITS}, 0, "no tensor at 0"),
        (None, "logits", "NoneType"),
    ],
)
def test_what_is_not_there_is_named(found, output, said):
    with pytest.raises(ModelError) as error:
        taken(found, output)
    assert said in str(error.value)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return {"logits": self.layer(x), "hidden": x}


def test_the_state_dict_is_the_inner_modules_own():
    net = Net()
    wrapped = LogitsOf(net, "logits")
    outer = nn.ModuleDict({"core": wrapped})
    assert list(wrapped.state_dict()) == ["layer.weight", "layer.bias"]
    assert list(outer.state_dict()) == ["core.layer.weight", "core.layer.bias"]
    other = Net().state_dict()
    wrapped.load_state_dict(other)
    torch.testing.assert_close(net.layer.weight, other["layer.weight"])
    outer.load_state_dict({f"core.{name}": value for name, value in Net().state_dict().items()})
    with pytest.raises(RuntimeError, match="Missing key"):
        wrapped.load_state_dict({"layer.bias": other["layer.bias"]})
    with pytest.raises(RuntimeError, match="Unexpected key"):
        wrapped.load_state_dict({**other, "wrong": other["layer.bias"]})
    assert inner(copy.deepcopy(wrapped)).layer is not net.layer


def test_the_logarithm_of_probabilities_gives_them_back():
    class Soft(nn.Module):
        def forward(self, x):
            return x.softmax(1)

    x = torch.tensor([[0.0, 1.0, -300.0]])
    logits = LogitsOf(Soft(), probabilities=True)(x)
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(logits.softmax(1), x.softmax(1))


def test_a_bare_tensor_is_taken_as_it_is():
    """Torchvision's googlenet returns a tuple in training and a tensor in evaluation."""
    assert LogitsOf(nn.Identity(), 0)(LOGITS) is LOGITS
    assert described(LOGITS) == "shape (2, 10)"
