"""Modules that return more than logits, from Python and from recipes: one line says where the logits are."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

import limbeck as lk
from limbeck.bundle.locate import bundle_of
from limbeck.bundle.read import load_state
from limbeck.data.open import open_source
from limbeck.errors import ModelError
from limbeck.recipe import from_mapping
from limbeck.runs.given import Given
from limbeck.runs.plan import plan

SHORT = {
    "train": {"epochs": 1, "batch_size": 64, "evaluations": 1},
    "tune": {"trials": 0},
    "verdict": {"seeds": 0},
    "runtime": {"threads": 1},
}


class Dict(nn.Module):
    """Returns its logits under a name, beside what it computed them from."""

    def __init__(self, width=8):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU())
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        hidden = self.body(x)
        return {"hidden": hidden, "logits": self.head(hidden), "loss": None}


@dataclass
class Output:
    logits: torch.Tensor
    hidden: torch.Tensor


class Data(Dict):
    def forward(self, x):
        return Output(self.head(self.body(x)), x)


class Tuple(Dict):
    def forward(self, x):
        return self.body(x), self.head(self.body(x))


@pytest.fixture(scope="module")
def digits():
    source = open_source("digits", split="train")
    return source.read(np.arange(400)), np.array(source.labels[:400])


def test_from_python_to_the_bundle(digits, tmp_path):
    run = lk.distil(
        teacher=Tuple(32), student=Dict, data=digits, recipe=SHORT, out=tmp_path / "run",
        overrides={"student.output": "logits", "teacher.output": 1},
    )  # fmt: skip
    bundle = bundle_of(run.folder)
    assert bundle.config.student["output"] == "logits"
    state = load_state(run.student)
    assert set(state) == set(Dict().state_dict())  # the user's own names
    core = Dict()
    core.load_state_dict(state)
    np.save(tmp_path / "x.npy", digits[0][:20, 0])
    found = lk.predict(bundle=run.student, inputs=[tmp_path / "x.npy"])
    from limbeck.data.preprocess import Preprocess, PreprocessSpec

    seen = Preprocess(PreprocessSpec.from_dict(dict(bundle.config.preprocess)))(torch.from_numpy(digits[0][:20]))
    expected = core.eval()(seen)["logits"].argmax(1)
    assert [each.label for each in found] == [bundle.config.classes[n] for n in expected]
    assert run.record.exports[0].parity.agreement == 1.0


@pytest.mark.parametrize("kind", [Dict, Data, Tuple])
@pytest.mark.parametrize("who", ["teacher", "student"])
def test_without_the_line_the_error_writes_it(kind, who, digits):
    place = {Dict: "logits", Data: "logits", Tuple: 1}[kind]
    models = {
        "teacher": nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
        "student": Tuple if kind is not Tuple else Dict,
    }
    models[who] = kind() if who == "teacher" else kind
    lines = {"teacher": {"from": "given"}, "student": {"module": "given"}}
    if who == "teacher":
        lines["student"]["output"] = {Dict: "logits", Tuple: 1}[models["student"]]
    given = Given(data=digits, **models)
    with pytest.raises(ModelError, match=rf"it gave .*\(2, 10\).*; say where its logits are: {who}\.output: {place}$"):
        plan(from_mapping({"data": {"train": "given"}, **SHORT, **lines}), given)
    lines[who]["output"] = place
    assert plan(from_mapping({"data": {"train": "given"}, **SHORT, **lines}), given)


def test_in_a_recipe(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "limbeck_dicts.py").write_text(
        "import torch\nfrom torch import nn\nclass Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.layer = nn.Linear(64, 10)\n"
        "    def forward(self, x):\n        return {'out': self.layer(x.flatten(1))}\n"
    )
    values = {
        "data": {"train": "digits"},
        "teacher": {"from": "limbeck_dicts:Net", "output": "out"},
        "student": {"module": "limbeck_dicts:Net", "output": "out"},
    }
    made = plan(from_mapping(values), Given(trust_code=True, folder=tmp_path))
    assert made.student.spec == {"module": "limbeck_dicts:Net", "output": "out"}
    wrong = {**values, "student": {"module": "limbeck_dicts:Net", "output": "logits"}}
    with pytest.raises(ModelError, match=r"no tensor at 'logits' in what the model gave: dict of out \(2, 10\)"):
        plan(from_mapping(wrong), Given(trust_code=True, folder=tmp_path))
    sys.modules.pop("limbeck_dicts")
