"""Heads: found, replaced, trained alone without moving anything else."""

import warnings

import pytest
import torch
from torch import nn

from limbeck.core.identity import state_fingerprint
from limbeck.errors import ModelError
from limbeck.teachers.heads import Adapted, Probe, features_of, heads_of, replace_heads


def net():
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 6), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(6, 3))


def library(name):
    pytest.importorskip("torchvision")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip(name.partition(":")[0])
    model = name.partition(":")[2]
    return package.create_model(model) if name.startswith("timm") else package.models.get_model(model)


HEADS = {
    "timm:test_resnet": ("fc",),
    "timm:test_efficientnet": ("classifier",),
    "timm:test_convnext": ("head.fc",),
    "timm:deit_tiny_distilled_patch16_224": ("head", "head_dist"),
    "torchvision:resnet18": ("fc",),
    "torchvision:mobilenet_v3_small": ("classifier.3",),
}


@pytest.mark.parametrize("name", HEADS)
def test_libraries_heads_are_replaced(name):
    module = library(name)
    assert heads_of(module) == HEADS[name]
    kept = {k: v.clone() for k, v in module.state_dict().items() if not k.startswith(HEADS[name])}
    assert replace_heads(module, 5) == HEADS[name]
    for path in HEADS[name]:
        assert module.get_submodule(path).out_features == 5
    after = module.state_dict()
    assert state_fingerprint({name: after[name] for name in kept}) == state_fingerprint(kept)


def test_a_convolution_is_replaced_where_it_is_named():
    module = library("torchvision:squeezenet1_1")
    with pytest.raises(ModelError, match=r"no linear layer to replace; name its head in teacher\.adapt\.head"):
        replace_heads(module, 5)
    assert replace_heads(module, 5, "classifier.1") == ("classifier.1",)
    assert module.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 5)


@pytest.mark.parametrize("path", ["nowhere", "1", "2"])
def test_what_is_no_head_is_named(path):
    with pytest.raises(ModelError, match=f"'{path}' is"):
        replace_heads(net(), 5, path)


def test_only_the_head_moves():
    """Statistics and dropout of the rest stay as they are, in training mode too."""
    module = net()
    adapted = Adapted(module, replace_heads(module, 5), frozen=True).train()
    assert {name for name, part in module.named_modules() if part.training} == {"6"}
    before = state_fingerprint({k: v for k, v in module.state_dict().items() if not k.startswith("6.")})
    x, y = torch.randn(32, 1, 8, 8), torch.arange(32) % 5
    optimiser = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], 0.1)
    first = None
    for _ in range(20):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(adapted(x), y)
        first = loss.item() if first is None else first
        loss.backward()
        optimiser.step()
    assert loss.item() < first
    assert state_fingerprint({k: v for k, v in module.state_dict().items() if not k.startswith("6.")}) == before
    assert not any(part.training for part in adapted.eval().modules())


def test_all_of_it_trains():
    module = net()
    adapted = Adapted(module, replace_heads(module, 5), frozen=False).train()
    assert all(parameter.requires_grad for parameter in adapted.parameters())
    assert all(part.training for part in module.modules())


def test_features_are_what_the_head_reads_and_no_hook_stays():
    module = net()
    adapted = Adapted(module, replace_heads(module, 5), frozen=True).eval()
    with features_of(adapted) as read:
        logits = adapted(torch.randn(4, 1, 8, 8))
    torch.testing.assert_close(module[6](read[0]), logits)
    assert not any(part._forward_pre_hooks for part in module.modules())


def test_a_probe_reads_a_black_boxs_outputs():
    box = net().requires_grad_(requires_grad=False)
    probe = Probe(box, 3, 5)
    assert probe(torch.randn(2, 1, 8, 8)).shape == (2, 5)
