"""Models from recipes: their preprocessing, their seeds, and where they are measured."""

import numpy as np
import pytest
import torch
from torch import nn

from limbeck.core.identity import state_fingerprint
from limbeck.recipe import from_mapping
from limbeck.runs import measured
from limbeck.runs.build import teacher_blueprint
from limbeck.runs.given import Given
from limbeck.runs.splits import open_splits
from limbeck.task import named

RANDOM = np.random.default_rng(0).normal(size=(60, 4))


def factory():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 2))


def blueprint(x, teacher, preprocess=None):
    values = {"data": {"train": "given"}, "teacher": {"from": "given", "preprocess": preprocess}}
    recipe = from_mapping({**values, "student": {"family": "mlp"}})
    given = Given(data=(x, np.arange(len(x)) % 2), teacher=teacher)
    splits = open_splits(recipe, given, named("multiclass"))
    return teacher_blueprint(recipe, given, splits)


@pytest.mark.parametrize(
    ("dtype", "given", "scale"),
    [("float32", None, 1.0), ("uint8", None, 1 / 255), ("float32", 0.5, 0.5), ("uint8", 2.0, 2.0)],
)
def test_the_scale_left_open_is_the_types_own(dtype, given, scale):
    x = (RANDOM * 40 + 128).clip(0, 255).reshape(60, 1, 2, 2).astype(dtype)
    own = {"mean": [0.5], "std": [0.25], **({} if given is None else {"scale": given})}
    made = blueprint(x, factory(), own).prepared(0).preprocess
    assert made.spec.scale == scale
    torch.testing.assert_close(made(torch.from_numpy(x)), (torch.from_numpy(x).float() * scale - 0.5) / 0.25)


def test_a_factorys_random_layers_are_the_same_when_the_run_goes_on():
    weights = []
    for caller in (1, 2):
        torch.manual_seed(caller)
        weights.append(state_fingerprint(blueprint(RANDOM.astype(np.float32), factory).make(0).state_dict()))
    assert weights[0] == weights[1]


def test_costs_are_measured_on_the_cpu_wherever_the_model_lies(monkeypatch):
    """A teacher on a GPU is timed where the student is; here the GPU is only claimed."""
    recipe = from_mapping({"data": {"train": "digits"}, "teacher": {"train": {}}, "student": {"family": "mlp"}})
    splits = open_splits(recipe, Given(), named("multiclass"))
    model, timed = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), []
    monkeypatch.setattr(measured, "torch_latency", lambda module, example, **_: timed.append((module, example.device)))
    monkeypatch.setattr(measured, "device_of", lambda _: torch.device("cuda"))
    monkeypatch.setattr(measured.cost, "cost", lambda module, _: measured.Costs(1, 1, 1, 1, [module], None))
    measured.costs(model, splits)
    ((module, device),) = timed
    assert module is not model
    assert {p.device.type for p in module.parameters()} == {device.type} == {"cpu"}
