"""Every student family: builds for many shapes, counts as its sentence says, exports with operators that all have."""

import pytest
import torch
from torch import nn

from limbeck.errors import ModelError
from limbeck.students import FAMILIES, build

SHAPES = {
    "convnet": [(1, 8, 8), (3, 32, 32), (1, 28, 28), (3, 7, 5), (2, 4, 30), (1, 1, 1), (3, 224, 160)],
    "mlp": [(13,), (1,), (1, 8, 8), (3, 5), (4, 3, 2, 2)],
    "resnet": [(1, 8, 8)],
}
KNOBS = {"convnet": {"width": 4, "depth": 3}, "mlp": {"width": 6, "depth": 2}, "resnet": {"width": 4}}
CASES = [(family, shape) for family in SHAPES for shape in SHAPES[family]]
EVERYWHERE = {
    "conv2d", "batch_norm", "relu_", "mean", "linear", "flatten", "add",
    "dropout",  # which is not there when the student answers
}  # fmt: skip
"""Operators that every exporter and runtime has."""


def made(family, shape, seed=0, outputs=7, **knobs):
    torch.manual_seed(seed)
    return build({"family": family, **KNOBS[family], **knobs}, inputs=shape, outputs=outputs)


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


def test_every_family_is_walked():
    assert SHAPES.keys() == FAMILIES.keys()


@pytest.mark.parametrize(("family", "shape"), CASES)
def test_it_answers_any_batch(family, shape):
    net = made(family, shape).eval()
    for n in (1, 3):
        logits = net(torch.randn(n, *shape))
        assert logits.shape == (n, 7)
        assert torch.isfinite(logits).all()


@pytest.mark.parametrize(("family", "shape"), CASES)
def test_it_can_be_trained(family, shape):
    net = made(family, shape).train()
    net(torch.randn(4, *shape)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_it_learns_two_classes(family):
    """Bright against dark, in a few steps."""
    shape = SHAPES[family][0]
    net = made(family, shape, outputs=2).train()
    optimiser = torch.optim.AdamW(net.parameters(), 0.02)
    target = torch.arange(16) % 2
    for _ in range(30):
        x = torch.randn(16, *shape) + 2 * target.view(-1, *(1,) * len(shape))
        loss = nn.functional.cross_entropy(net(x), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.2


@pytest.mark.parametrize("family", FAMILIES)
def test_the_seed_makes_it(family):
    shape = SHAPES[family][0]
    one, same, other = (made(family, shape, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("width", [1, 4, 16])
@pytest.mark.parametrize("depth", [1, 2, 4, 9])
def test_a_convnet_has_the_parameters_of_its_sentence(width, depth):
    """Stem; each block a depthwise and a pointwise convolution; every second doubles, to at most 8 times; head."""
    total, planes = 3 * width * 9 + 2 * width, width
    for block in range(depth):
        after = min(2 * planes, 8 * width) if block % 2 == 0 else planes
        total += planes * 9 + 2 * planes + planes * after + 2 * after
        planes = after
    total += planes * 7 + 7
    assert count(made("convnet", (3, 32, 32), width=width, depth=depth)) == total


@pytest.mark.parametrize("width", [1, 6])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_an_mlp_has_the_parameters_of_its_sentence(width, depth):
    total, units = 0, 13
    for _ in range(depth):
        total += units * width + 2 * width
        units = width
    assert count(made("mlp", (13,), width=width, depth=depth)) == total + units * 7 + 7


def test_known_sizes():
    """The defaults, written down."""
    assert count(build({"family": "convnet"}, inputs=(1, 28, 28), outputs=10)) == 10_474
    assert count(build({"family": "mlp"}, inputs=(13,), outputs=3)) == 5_379


def sizes_of(shape, **knobs):
    net = made("convnet", shape, **knobs).eval()
    sizes = []
    for layer in net.body:
        layer.register_forward_hook(lambda _module, _inputs, output: sizes.append(tuple(output.shape[2:])))
    net(torch.zeros(1, *shape))
    return [sizes[0], *sizes[2::2]]


def test_a_convnet_halves_as_it_says():
    """The stem from 16 pixels on; every second block from 8 on, while channels still double."""
    assert sizes_of((1, 32, 32), depth=6) == [(16, 16), (8, 8), (8, 8), (4, 4), (4, 4), (4, 4), (4, 4)]
    assert sizes_of((1, 15, 15), depth=3) == [(15, 15), (8, 8), (8, 8), (4, 4)]
    assert sizes_of((1, 7, 40), depth=3) == [(7, 40)] * 4
    assert sizes_of((1, 128, 128), depth=8)[-1] == (8, 8)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_exports_with_operators_that_all_targets_have(family):
    for shape in SHAPES[family][:3]:
        net = made(family, shape).eval()
        program = torch.export.export(net, (torch.randn(2, *shape),), dynamic_shapes=({0: torch.export.Dim.AUTO},))
        nodes = [node for node in program.graph.nodes if node.op == "call_function"]
        used = {node.target.name().removeprefix("aten::").partition(".")[0] for node in nodes}
        assert used - {"sym_size"} <= EVERYWHERE
        x = torch.randn(5, *shape)
        assert torch.equal(program.module()(x), net(x))


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"family": "vgg"}, "student.family: there is no family 'vgg'; use one of: convnet, mlp"),
        ({}, "no family None"),
        ({"family": ["mlp"]}, "no family"),
        ({"family": "convnet", "width": 0}, "at least 1"),
        ({"family": "convnet", "depth": 0}, "at least 1"),
        ({"family": "mlp", "width": 0}, "at least 1"),
        ({"family": "mlp", "depth": -1}, "at least 0"),
        ({"family": "mlp", "wdith": 8}, "student.wdith: family mlp has no such knob; it has: width, depth"),
        ({"family": "mlp", "outputs": 8}, "student.outputs"),
    ],
)
def test_what_cannot_be_built(spec, named):
    with pytest.raises(ModelError, match=named):
        build(spec, inputs=(1, 8, 8), outputs=10)


def test_a_convnet_takes_images():
    with pytest.raises(ModelError, match="use family: mlp"):
        build({"family": "convnet"}, inputs=(13,), outputs=3)
