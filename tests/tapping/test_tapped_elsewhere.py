"""Taps in the models of libraries, in compiled ones and in distributed ones."""

import os

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn.parallel import DistributedDataParallel

from limbeck.errors import ModelError
from limbeck.tapping import matching, shapes, tapped
from limbeck.training.compiled import cannot_compile

from .tap_models import SHAPES, Net, traces

X = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
PATHS = ["first", "block:in.0", "block:out.1.deep.0", "last:in"]


def nested():
    return Net(SHAPES["nested"][0])


def read_with_gradients(net, forward, x):
    """All tensors that were read, and the gradient of their sum of squares by the first layer's weight."""
    with tapped(net, PATHS) as read:
        forward(x)
        said = {path: read[path] for path in PATHS}
        gradient = torch.autograd.grad(sum(each.square().sum() for each in said.values()), net.first.weight)[0]
    return said, gradient


def alike(one, other):
    for path in PATHS:
        torch.testing.assert_close(one[0][path], other[0][path])
    torch.testing.assert_close(one[1], other[1])


@pytest.fixture
def fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize("inside", [False, True], ids=["whole", "inside"])
def test_compiled_is_the_same_and_one_graph(inside, fresh_compiler):
    net = nested()
    whole = nn.Sequential(nn.Identity(), net) if inside else net
    counter = CompileCounterWithBackend("aot_eager")
    with tapped(net, PATHS) as read:
        forward = torch.compile(whole, backend=counter, fullgraph=True, dynamic=False)
        for number in range(4):
            forward(X + number)
            said = {path: read[path] for path in PATHS}
            gradient = torch.autograd.grad(sum(each.square().sum() for each in said.values()), net.first.weight)[0]
            whole(X + number)
            plain = {path: read[path] for path in PATHS}
            other = torch.autograd.grad(sum(each.square().sum() for each in plain.values()), net.first.weight)[0]
            alike((said, gradient), (plain, other))
    assert counter.frame_count <= 1 + inside, "at most one more, when what was read before is first there"
    assert traces(net) == {}


def test_a_compiled_module_is_tapped_by_the_names_inside(fresh_compiler):
    net = nested()
    forward = torch.compile(net, backend="aot_eager", dynamic=False)
    with tapped(forward, PATHS) as read:
        forward(X)
        assert set(read) == set(PATHS)


def test_hooks_that_come_too_late_are_said(fresh_compiler):
    net = nested()
    whole = nn.Sequential(net)
    forward = torch.compile(whole, backend="aot_eager", dynamic=False)
    forward(X)
    with tapped(net, ["first"]) as read:
        forward(X)
        with pytest.raises(ModelError, match="compiled before it was tapped"):
            read["first"]


@pytest.mark.slow
def test_inductor_gives_the_same(fresh_compiler):
    if cannot_compile(torch.device("cpu")) is not None:
        pytest.skip("nothing can be compiled here")
    net = nested()
    compiled = read_with_gradients(net, torch.compile(net, fullgraph=True, dynamic=False), X)
    alike(compiled, read_with_gradients(net, net, X))


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(os.name == "nt", reason="file:// rendezvous")
def test_distributed_is_the_same(one_process):
    net = nested()
    wrapped = DistributedDataParallel(net)
    alike(read_with_gradients(net, wrapped, X), read_with_gradients(net, net, X))
    with tapped(wrapped, ["first"]) as read:
        wrapped(X).sum().backward()
    torch.testing.assert_close(read["first"], net.first(X))
    assert traces(net) == {}


def test_timm():
    timm = pytest.importorskip("timm")
    net = timm.create_model(
        "vit_tiny_patch16_224", img_size=16, patch_size=8, depth=3, embed_dim=24, num_heads=2
    ).eval()
    x = torch.randn(3, 3, 16, 16)
    paths = matching(net, "blocks.*.attn")
    assert paths == [f"blocks.{number}.attn" for number in range(3)]
    with tapped(net, [*paths, "blocks.1", "blocks.2:in", "norm"]) as read:
        net(x)
    assert read["blocks.0.attn"].shape == (3, 5, 24)
    assert torch.equal(read["blocks.1"], read["blocks.2:in"])
    assert torch.equal(read["norm"], net.forward_features(x))
    cnn = timm.create_model("resnet18", num_classes=3).eval()
    with tapped(cnn, ["layer1", "layer4"]) as read:
        cnn(torch.randn(2, 3, 32, 32))
    assert read["layer4"].shape == (2, 512, 1, 1)


def test_torchvision():
    models = pytest.importorskip("torchvision").models
    net = models.resnet18().eval()
    with tapped(net, ["layer1", "layer1.1.bn2"]) as read:
        net(torch.randn(2, 3, 32, 32))
    assert read["layer1"].shape == (2, 64, 8, 8)
    assert (read["layer1"] >= 0).all()
    assert (read["layer1.1.bn2"] < 0).any(), "the sum and the ReLU behind it work in place"
    with pytest.raises(ModelError, match=r"layer1\.0\.relu runs more than once"), tapped(net, ["layer1.0.relu"]):
        net(torch.randn(2, 3, 32, 32))


def test_transformers():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=24,
        output_hidden_states=True,
    )  # fmt: skip
    net = transformers.BertForSequenceClassification(config).eval()
    asked = {"input_ids": torch.randint(0, 20, (3, 7)), "attention_mask": torch.ones(3, 7, dtype=torch.int64)}
    layers = matching(net, "bert.encoder.layer.*")
    with tapped(net, [*layers, "bert:out.last_hidden_state", ":out.hidden_states.1", ":in.input_ids"]) as read:
        said = net(**asked)
    for number, path in enumerate(layers):
        torch.testing.assert_close(read[path], said.hidden_states[number + 1])
    assert torch.equal(read["bert:out.last_hidden_state"], said.hidden_states[-1])
    assert torch.equal(read[":out.hidden_states.1"], said.hidden_states[1])
    assert torch.equal(read[":in.input_ids"], asked["input_ids"])
    with pytest.raises(ModelError, match=r"bert gives .*; tap bert:out.last_hidden_state or"), tapped(net, ["bert"]):
        net(**asked)
    found = {place.path: place for place in shapes(net, asked)}
    assert found["bert.encoder.layer.1"].kind == "tokens"
    assert found["bert:out.last_hidden_state"].shape == (7, 16)


@pytest.mark.slow
def test_transformers_compiled(fresh_compiler):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        image_size=8, patch_size=4, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
    )
    net = transformers.ViTForImageClassification(config).eval()
    x = torch.randn(3, 3, 8, 8)
    paths = ["vit:out.last_hidden_state", *matching(net, "vit.*.*.attention")]
    with tapped(net, paths) as read:
        torch.compile(net, backend="aot_eager", dynamic=False)(x)
        compiled = {path: read[path] for path in paths}
        net(x)
        for path in paths:
            torch.testing.assert_close(compiled[path], read[path])
