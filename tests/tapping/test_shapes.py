"""What can be tapped is found by running the model, which stays as it was."""

import pytest
import torch
from torch import nn

from limbeck.measuring.cost import counting, macs, parameters
from limbeck.tapping import shapes, tapped

from .tap_models import SHAPES, Net, Twice, attributes, traces

X = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))


def test_every_place_is_a_tap_of_that_shape():
    net = Net(SHAPES["nested"][0])
    found = shapes(net, X)
    assert [place.path for place in found] == [
        "first", "relu", "block.line", "block:out.1.deep.0", "block:out.1.deep.1", "last",
    ]  # fmt: skip
    with tapped(net, [place.path for place in found]) as read:
        net(X)
    assert [place.shape for place in found] == [tuple(read[place.path].shape[1:]) for place in found]
    assert [place.bytes for place in found] == [read[place.path][0].nbytes for place in found]


def test_sums_up_to_a_place():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.ReLU(), nn.Flatten()), nn.Linear(18, 4))
    inputs = torch.zeros(3, 1, 5, 5)
    with counting() as count:
        found = shapes(net, inputs, count=count)
    assert [(place.path, place.params, place.work) for place in found] == [
        ("0", 20, 162), ("1.0", 20, 162), ("1.1", 20, 162), ("1", 20, 162), ("2", 96, 234),
    ]  # fmt: skip
    assert (found[-1].params, found[-1].work) == (parameters(net), macs(net, inputs))


def test_the_model_is_left_as_it_was():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).train()
    net[2].eval()
    before = attributes(net), {name: value.clone() for name, value in net.state_dict().items()}
    drawn = torch.get_rng_state()
    shapes(net, X)
    assert attributes(net) == before[0]
    assert all(torch.equal(value, before[1][name]) for name, value in net.state_dict().items())
    assert [each.training for each in net] == [True, True, False]
    assert torch.equal(torch.get_rng_state(), drawn)
    with pytest.raises(RuntimeError):
        shapes(net, torch.zeros(5, 2))
    assert traces(net) == {}
    assert net.training


def test_a_part_that_runs_twice_says_so():
    assert {place.path: place.runs for place in shapes(Twice(), X)} == {"line": 2, "head": 1}


class Odd(nn.Module):
    """Parts whose tensors are of no use to objectives that compare rows."""

    def __init__(self):
        super().__init__()
        self.choice, self.turned, self.windows, self.cube = (nn.Identity() for _ in range(4))

    def forward(self, x, *, y):
        self.choice(x.argmax(1))
        self.turned(x.T)
        self.windows(torch.cat([x, x]))
        self.cube(y[:, None, None, None, :])
        return x


def test_what_has_no_rows_is_left_out():
    found = shapes(Odd(), {"x": X, "y": X})
    assert [(place.path, place.kind, place.shape) for place in found] == [("cube", "other", (1, 1, 1, 3))]
    assert len(shapes(Net(), (X,))) == len(shapes(Net(), X))
