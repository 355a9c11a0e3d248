"""Models from recipes: their preprocessing, their seeds, and where they are measured."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from limbeck.core.identity import state_fingerprint
from limbeck.recipe import from_mapping
from limbeck.runs import measured
from limbeck.runs.build import student_blueprint, teacher_blueprint
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


MODULE = """
import torch
from torch import nn


class Named(nn.Module):
    def __init__(self, outputs=2):
        super().__init__()
        self.body, self.head = nn.Linear(4, 8), nn.Linear(8, outputs)

    def forward(self, x):
        return {"logits": self.head(self.body(x).relu()), "hidden": x}
"""


def started(folder, prefix="", outputs=2):
    """A student of the user's own that begins with weights of so many classes."""
    module = f"student_of_{outputs}_{bool(prefix)}"  # a process knows one module of a name
    (folder / f"{module}.py").write_text(MODULE)
    shapes = {"body.weight": (8, 4), "body.bias": (8,), "head.weight": (outputs, 8), "head.bias": (outputs,)}
    save_file({f"{prefix}{name}": torch.ones(shape) for name, shape in shapes.items()}, folder / "w.safetensors")
    student = {"module": f"{module}:Named", "output": "logits", "weights": str(folder / "w.safetensors")}
    recipe = from_mapping({"data": {"train": "given"}, "teacher": {"train": {}}, "student": student})
    given = Given(data=(RANDOM.astype(np.float32), np.arange(60) % 2), trust_code=True, folder=folder)
    return student_blueprint(recipe, given, open_splits(recipe, given, named("multiclass")))


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_student_whose_weights_all_come_from_a_file_begins_alike_with_every_seed(prefix, tmp_path):
    made = started(tmp_path, prefix)
    first, second = (state_fingerprint(made.make(seed).state_dict()) for seed in (0, 1))
    assert first == second
    assert not made.reseeds


def test_a_students_classifier_of_other_classes_begins_anew_whatever_else_it_returns(tmp_path):
    made = started(tmp_path, outputs=5)
    first, second = (made.make(seed).state_dict() for seed in (0, 1))
    assert torch.equal(first["body.weight"], second["body.weight"])
    assert not torch.equal(first["head.weight"], second["head.weight"])
    assert made.reseeds
    assert any("begins anew" in note for note in made.notes)


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
