"""Every teacher family: builds, answers, counts, and is the same under the same seed."""

import pytest
import torch

from limbeck.errors import ModelError
from limbeck.teachers import FAMILIES, build
from limbeck.teachers.classes import columns

SHAPES = {
    "resnet": [(1, 8, 8), (3, 16, 16), (1, 28, 28), (3, 32, 32), (3, 7, 5), (1, 1, 1), (2, 4, 30)],
    "wide-mlp": [(13,), (1,), (1, 8, 8), (3, 5), (4, 3, 2, 2)],
    "convnet": [(1, 8, 8)],
    "mlp": [(13,)],
}
"""Families of students are walked beside them; here they are looked up."""
KNOBS = {"resnet": {"width": 4}, "wide-mlp": {"width": 12, "depth": 2}, "convnet": {"width": 4}, "mlp": {"width": 6}}
CASES = [(family, shape) for family in SHAPES for shape in SHAPES[family]]


def made(family, shape, seed=0, **knobs):
    torch.manual_seed(seed)
    return build({"family": family, **KNOBS[family], **knobs}, inputs=shape, outputs=7)


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
def test_the_seed_makes_it(family):
    shape = SHAPES[family][0]
    one, same, other = (made(family, shape, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def convolution(channels, planes, kernel=3):
    return channels * planes * kernel**2 + 2 * planes


@pytest.mark.parametrize("width", [1, 4, 32])
@pytest.mark.parametrize("depth", [1, 3])
def test_a_resnet_has_the_parameters_of_its_sentence(width, depth):
    """Stem, three stages of `depth` blocks with width, 2 width, 4 width channels, linear head."""
    count, planes = convolution(3, width), width
    for after in (width, 2 * width, 4 * width):
        for _ in range(depth):
            count += convolution(planes, after) + convolution(after, after)
            if planes != after:
                count += convolution(planes, after, kernel=1)
            planes = after
    count += planes * 7 + 7
    assert sum(p.numel() for p in made("resnet", (3, 32, 32), width=width, depth=depth).parameters()) == count


def test_a_wide_mlp_has_the_parameters_of_its_sentence():
    net = made("wide-mlp", (13,), width=20, depth=3)
    count = (13 * 20 + 20) + 2 * (20 * 20 + 20) + 3 * 2 * 20 + (20 * 7 + 7)
    assert sum(p.numel() for p in net.parameters()) == count


def sizes_of(shape):
    net = made("resnet", shape).eval()
    sizes = []
    for stage in (net.stem, *net.stages):
        stage.register_forward_hook(lambda _module, _inputs, output: sizes.append(tuple(output.shape[2:])))
    net(torch.zeros(1, *shape))
    return sizes


def test_a_resnet_halves_as_it_says():
    """The stem from 16 pixels on, the second and third stage from 4 on."""
    assert sizes_of((1, 32, 32)) == [(16, 16), (16, 16), (8, 8), (4, 4)]
    assert sizes_of((1, 15, 15)) == [(15, 15), (15, 15), (8, 8), (4, 4)]
    assert sizes_of((1, 3, 3)) == [(3, 3)] * 4


def test_dropout_drops_in_training_only():
    for family in ("resnet", "wide-mlp"):
        net, x = made(family, SHAPES[family][0], dropout=0.5), torch.randn(16, *SHAPES[family][0])
        assert torch.equal(net.eval()(x), net.eval()(x))
        assert not torch.equal(net.train()(x), net.train()(x))


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"family": "vgg"}, "use one of: resnet, wide-mlp"),
        ({}, "no family None"),
        ({"family": "resnet", "width": 0}, "at least 1"),
        ({"family": "resnet", "dropout": 1.0}, "dropout"),
        ({"family": "wide-mlp", "depth": 0}, "at least 1"),
        ({"family": "wide-mlp", "dropout": -0.1}, "dropout"),
        ({"family": "resnet", "wdith": 3}, "wdith"),
        ({"family": "resnet", "inputs": 3}, "inputs"),
    ],
)
def test_what_cannot_be_built(spec, named):
    with pytest.raises(ModelError, match=named):
        build(spec, inputs=(1, 8, 8), outputs=10)


def test_a_resnet_takes_images():
    with pytest.raises(ModelError, match="use family: wide-mlp"):
        build({"family": "resnet"}, inputs=(13,), outputs=3)


def test_columns_by_name():
    assert columns(None, ["a", "b"], 2) is None
    assert columns(["a", "b"], ["a", "b"], 2) is None
    assert columns(["b", "a"], ["a", "b"], 2) == (1, 0)
    assert columns(["a", "b", "c"], ["a", "b"], 3) == (0, 1)
    assert columns(["a", "b", "c"], ["c"], 3) == (2,)


@pytest.mark.parametrize(
    ("theirs", "ours", "outputs", "named"),
    [
        (None, ["a"], 2, "2 outputs, the data 1 classes"),
        (["a"], ["a"], 2, "1 names, but the teacher has 2 outputs"),
        (["a", "a"], ["a"], 2, "'a' more than once"),
        (["a", "b"], ["a", "c", "d"], 2, "does not know 'c', 'd'"),
    ],
)
def test_columns_that_cannot_be(theirs, ours, outputs, named):
    with pytest.raises(ModelError, match=named):
        columns(theirs, ours, outputs)
