"""Taps read what is there, say what is wrong, and leave no trace."""

import copy
from collections import OrderedDict

import pytest
import torch
from torch import nn

from limbeck.errors import ModelError
from limbeck.tapping import matching, tapped

from .tap_models import SHAPES, Block, Net, Twice, attributes, traces

X = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))


def test_what_a_part_gives_and_is_given():
    net = Net()
    with tapped(net, ["first", "first:out", "relu", "block:in.0", "block:in.scale", "last:in", ":in", ":out"]) as read:
        out = net(X)
    first = net.first(X)
    assert torch.equal(read["first"], first), "the ReLU worked in place on it"
    assert torch.equal(read["first:out"], first)
    assert torch.equal(read["relu"], first.relu())
    assert torch.equal(read["block:in.0"], first.relu())
    assert torch.equal(read["block:in.scale"], torch.ones(4))
    assert torch.equal(read["last:in"], net.block.line(first.relu()))
    assert torch.equal(read[":in"], X)
    assert torch.equal(read[":out"], out)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_thing_of_several(shape):
    how, path = SHAPES[shape]
    net = Net(how)
    with tapped(net, [path]) as read:
        net(X)
    assert torch.equal(read[path], 2 * net.block.line(net.first(X).relu()))


def test_a_tuple_with_one_tensor_is_that_tensor():
    net = Net(lambda y: (y, None))
    with tapped(net, ["block", "block:out.0"]) as read:
        net(X)
    assert torch.equal(read["block"], read["block:out.0"])


def test_gradients_flow_through_taps():
    net = Net()
    with tapped(net, ["first", "last:in"]) as read:
        net(X)
        (read["first"].sum() + read["last:in"].square().sum()).backward()
    mine = net.first.weight.grad.clone()
    net.zero_grad()
    first = net.first(X)
    (first.sum() + net.block.line(first.relu()).square().sum()).backward()
    assert torch.allclose(mine, net.first.weight.grad)
    with tapped(net, ["first"]) as read, torch.no_grad():
        net(X)
    assert not read["first"].requires_grad


def test_each_pass_is_read_anew():
    net = Net()
    with tapped(net, ["first"]) as read:
        for rows in (5, 2):
            net(X[:rows])
            assert len(read["first"]) == rows
        net.first(X)
        net.first(X[:1])  # outside of a pass of the whole: read too, as often as it runs
    assert len(read["first"]) == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("blok", "tap 'blok': the model has no such part; did you mean block"),
        ("", "tap '': expected PART, PART:in or PART:out"),
        ("block:sideways", "expected PART, PART:in or PART:out"),
        ("block:out..0", "expected PART, PART:in or PART:out"),
        ("nothing.like.it:in", "no such part"),
        ("*", "tap '*': 4 parts match, expected one of first, relu, block, last"),
        ("zz*", "tap 'zz*': the model has no such part"),
    ],
)
def test_paths_that_lead_nowhere_are_refused_at_once(path, said):
    net = Net()
    with pytest.raises(ModelError) as error, tapped(net, ["first", path]):
        pass
    assert said in str(error.value)
    assert traces(net) == {}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("block", "block gives dict of x (5, 4), y tuple, expected one tensor; tap block:out.x or block:out.y.0"),
        ("block:out.z", "tap block:out.x or block:out.y.0"),
        ("block:in", "block is given dict of 0 (5, 4), scale (4,), expected one tensor; tap block:in.0 or block:in.sc"),
        ("first:out.0", "first gives shape (5, 4), expected one tensor; it is one tensor; tap first"),
    ],
)  # fmt: skip
def test_values_that_are_not_one_tensor_name_the_paths_that_work(path, said):
    net = Net(lambda y: {"x": y, "y": (y, 3)})
    with pytest.raises(ModelError) as error, tapped(net, [path]):
        net(X)
    assert said in str(error.value)
    assert traces(net) == {}


def test_nothing_to_tap():
    net = nn.Sequential(OrderedDict(block=Block(lambda y: None)))
    with pytest.raises(ModelError, match="there is no tensor in it; tap another part"), tapped(net, ["block"]):
        net(torch.zeros(1, 4))


def test_a_part_that_runs_twice_is_refused_but_not_across_passes():
    net = Twice()
    with pytest.raises(ModelError, match="line runs more than once in a pass"), tapped(net, ["line"]):
        net(X)
    with tapped(net, ["line", "head:in"]) as read:
        with pytest.raises(ModelError):
            net(X)
        net.line(X)  # the pass that failed is over
    assert len(read["line"]) == 5


def test_what_did_not_run_is_said_when_it_is_asked_for():
    net = Twice()
    with tapped(net, ["idle"]) as read:
        net(X)
        assert dict(read) == {}
        for path in ("idle", "unknown"):
            with pytest.raises(ModelError, match=f"tap '{path}': nothing was read there"):
                read[path]


def test_no_trace_is_left():
    net = Net()
    before = attributes(net)
    with tapped(net, ["first", "block:in.0", ":out"]):
        assert traces(net)
        net(X)
    assert (traces(net), attributes(net)) == ({}, before)
    with pytest.raises(KeyboardInterrupt), tapped(net, ["first"]):
        raise KeyboardInterrupt
    assert (traces(net), attributes(net)) == ({}, before)
    with tapped(net, []):
        assert traces(net) == {}


def test_a_copy_of_a_tapped_model_does_not_speak_for_it():
    net = Net()
    with tapped(net, ["first"]) as read:
        other = copy.deepcopy(net)
        net(X)
        other(X[:1])
    assert len(read["first"]) == 5


def test_a_shared_part_has_two_paths():
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    net.add_module("again", net[0])
    with pytest.raises(ModelError, match="again runs more than once"), tapped(net, ["again"]):
        net(X)
    with tapped(net, ["1", "again:in"]) as read, pytest.raises(ModelError, match="again runs more than once"):
        net(X)
    assert traces(net) == {}
    assert "1" in read


def test_patterns_expand_in_the_models_order():
    net = nn.ModuleDict({"blocks": nn.ModuleList(Net() for _ in range(11)), "head": nn.Linear(2, 2)})
    assert matching(net, "blocks.*.block") == [f"blocks.{place}.block" for place in range(11)]
    assert matching(net, "blocks.?.l*t:in.0") == [f"blocks.{place}.last:in.0" for place in range(10)]
    assert matching(net, "blocks.[37].block:out") == ["blocks.3.block", "blocks.7.block"]
    assert matching(net, "*") == ["blocks", "head"]
    assert matching(net, "head") == ["head"]
    assert matching(net, ":in") == [":in"]
    with pytest.raises(ModelError, match=r"'blocks\.\*\.blok': the model has no such part; did you mean blocks"):
        matching(net, "blocks.*.blok")


def test_a_pattern_with_one_match_is_a_path():
    net = Net()
    with tapped(net, ["b*.l*", "la*:in"]) as read:
        net(X)
    assert set(read) == {"b*.l*", "la*:in"}
    assert torch.equal(read["b*.l*"], read["la*:in"])
