"""Two models that answer differently have two fingerprints; one that is built again has the same."""

import importlib
import sys

import pytest
import torch
from torch import nn

from limbeck.core.architecture import architecture_fingerprint
from limbeck.objectives import SoftTargets, as_sum, objective_fingerprint
from limbeck.objectives.objective import Needs, Objective


class Scaled(nn.Module):
    def __init__(self, k, function=torch.relu):
        super().__init__()
        self.k, self.function = k, function
        self.register_buffer("shift", torch.full((2,), float(k)), persistent=False)

    def forward(self, x):
        return self.function(x) * self.k + self.shift


def test_plain_attributes_functions_and_hidden_buffers_count():
    prints = {architecture_fingerprint(Scaled(k, f)) for k in (1, -5) for f in (torch.relu, torch.tanh)}
    assert len(prints) == 4
    other = Scaled(1)
    other.shift += 1
    assert architecture_fingerprint(other) not in prints


def test_it_is_the_same_again_whatever_the_mode():
    assert architecture_fingerprint(Scaled(1)) == architecture_fingerprint(Scaled(1).eval())


def test_installed_layers_are_told_apart_by_their_settings():
    assert architecture_fingerprint(nn.Conv2d(1, 2, 3)) != architecture_fingerprint(nn.Conv2d(1, 2, 3, padding=1))


@pytest.mark.parametrize("change", [("x + 1", "x + 2"), ("helper(x)", "helper(2 * x)")])
def test_an_edited_source_file_makes_another_model(tmp_path, monkeypatch, change):
    monkeypatch.syspath_prepend(str(tmp_path))
    text = (
        "from torch import nn\n\n\ndef helper(x):\n    return x + 1\n\n\n"
        "class Net(nn.Module):\n    def forward(self, x):\n        return helper(x)\n"
    )
    prints = []
    for name, source in (("net_before", text), ("net_after", text.replace(*change))):
        (tmp_path / f"{name}.py").write_text(source)
        module = importlib.import_module(name)
        module.Net.__module__ = module.Net.__qualname__ = "same"
        sys.modules["same"] = module
        prints.append(architecture_fingerprint(module.Net()))
    del sys.modules["same"]
    assert prints[0] != prints[1]


class Blend(Objective):
    def __init__(self, share):
        super().__init__()
        self.share = share

    def needs(self):
        return Needs()

    def terms(self, student, teacher, batch):
        return {"blend": self.share * student.logits.mean()}


def test_an_objective_that_prints_nothing_is_still_known_by_its_settings():
    assert str(as_sum(Blend(0.1))) == str(as_sum(Blend(0.9)))
    assert objective_fingerprint(as_sum(Blend(0.1))) != objective_fingerprint(as_sum(Blend(0.9)))
    assert objective_fingerprint(as_sum(SoftTargets(2))) == objective_fingerprint(as_sum(SoftTargets(2)))
