"""`teacher.adapt`: a new head on a teacher of other classes; resumed after a kill it is the same, bit for bit."""

import copy
import json
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import limbeck as lk
from limbeck.core.identity import state_fingerprint
from limbeck.core.progress import Silent
from limbeck.data.loader import evaluation_batches, steps_for
from limbeck.data.open import open_source
from limbeck.errors import ModelError
from limbeck.exporting.onnx import to_onnx
from limbeck.recipe import from_mapping
from limbeck.runs.given import Given
from limbeck.runs.plan import plan
from limbeck.runs.predictions import teacher_logits
from limbeck.runs.teacher import raise_teacher
from limbeck.teachers.resnet import ResNet

RECIPE = {
    "data": {"train": "digits"},
    "student": {"family": "mlp", "width": 8, "depth": 1},
    "train": {"epochs": 1, "batch_size": 64, "evaluations": 2},
    "tune": {"trials": 0},
    "verdict": {"seeds": 0},
    "runtime": {"threads": 1},
}
SHIFTED = {"data": {"train": "digits", "views": {"ops": [{"op": "shift", "pixels": 1}]}}}


@cache
def trained(outputs):
    """Knows a digit's remainder by 4 (and nothing about further outputs): trained on something else."""
    torch.manual_seed(5)
    net = ResNet(inputs=(1, 8, 8), outputs=outputs, width=16, depth=1)
    source = open_source("digits", split="train")
    x, y = torch.from_numpy(source.read(np.arange(512))).float(), torch.from_numpy(np.array(source.labels[:512])) % 4
    x = (x / 255 - 0.3052) / 0.3758
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    for _ in range(30):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y.long()).backward()
        optimiser.step()
    return net.eval()


def backbone(outputs=4):
    return copy.deepcopy(trained(outputs))


def adapted(how, folder, teacher=None, given=None, **changes):
    values = {**RECIPE, **changes, "teacher": {"from": "given", **(teacher or {}), "adapt": how}}
    made = plan(from_mapping(values), given or Given(teacher=backbone()))
    return made, raise_teacher(made, made.shop(folder, Silent()))


def accuracy(made, live):
    logits = teacher_logits(live, evaluation_batches(made.splits.validation, 128))
    return float((logits.argmax(1) == made.splits.validation.labels).mean())


def weights(raised):
    return state_fingerprint(raised.live.module.state_dict())


def rest(module, head="head."):
    return state_fingerprint({k: v for k, v in module.state_dict().items() if not k.startswith(head)})


@pytest.mark.parametrize("views", [{}, SHIFTED], ids=["features-once", "each-step"])
def test_a_linear_probe_learns_and_leaves_the_rest_alone(views, tmp_path):
    made, raised = adapted({"epochs": 20, "learning_rate": 0.01}, tmp_path, **views)
    assert accuracy(made, raised.live) > 0.8
    assert rest(raised.live.module) == rest(backbone())
    features = list((tmp_path / "checkpoints").glob("features-*"))
    assert len(features) == (0 if views else 2)
    assert raised.fitted.seconds > 0


def test_features_once_and_each_step_are_the_same_training(tmp_path, monkeypatch):
    how = {"epochs": 3, "learning_rate": 0.01}
    _, once = adapted(how, tmp_path / "a")
    monkeypatch.setattr("limbeck.runs.adapt._separable", lambda *_: False)
    _, each = adapted(how, tmp_path / "b")
    for name in ("head.weight", "head.bias"):
        one, other = (raised.live.module.state_dict()[name] for raised in (once, each))
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3)


def test_all_of_it_learns_more_slowly_behind_the_head(tmp_path):
    made, raised = adapted({"what": "all", "epochs": 2}, tmp_path)
    assert accuracy(made, raised.live) > 0.8
    fresh, trained = backbone().state_dict(), raised.live.module.state_dict()
    moved = {name: (trained[name] - fresh[name]).abs().max() for name in ("stem.0.weight", "stages.0.first.0.weight")}
    assert all(distance > 0 for distance in moved.values())
    settings = raised.fitted.job.train
    assert (settings.slow_share, settings.fast) == (0.1, ("core.model.head.weight", "core.model.head.bias"))
    _, frozen = adapted({"what": "all", "epochs": 2, "backbone_share": 0.001}, tmp_path / "slow")
    slow = frozen.live.module.state_dict()
    assert all((slow[name] - fresh[name]).abs().max() < distance / 10 for name, distance in moved.items())


def test_the_lent_module_is_not_trained(tmp_path):
    own = backbone()
    before = state_fingerprint(own.state_dict())
    adapted({"what": "all", "epochs": 1}, tmp_path, given=Given(teacher=own))
    assert state_fingerprint(own.state_dict()) == before


KILLED = """
import os, signal, sys
import limbeck as lk
from limbeck.training import checkpoint
sys.path.insert(0, {here!r})
from test_adapt import RECIPE, backbone

save, times = checkpoint.save, []

def saved(*arguments, **options):
    save(*arguments, **options)
    times.append(1)
    if len(times) == {after}:
        os.kill(os.getpid(), signal.SIGKILL)

checkpoint.save = saved
recipe = {{**RECIPE, **{changes!r}, "teacher": {{"adapt": {how!r}}}}}
recipe["train"] = {{**recipe["train"], "checkpoint_seconds": 0}}
lk.distil(teacher=backbone(), recipe=recipe, out={out!r})
"""


@pytest.mark.parametrize(
    ("how", "changes"),
    [("head", {}), pytest.param("head", SHIFTED, marks=pytest.mark.nightly), ("all", {})],
    ids=["head-features-once", "head-each-step", "all"],
)
def test_killed_and_resumed_it_is_the_same_teacher(how, changes, tmp_path, quick):
    what = {"what": how, "epochs": 1}
    text = KILLED.format(here=str(Path(__file__).parent), after=5, how=what, changes=changes, out=str(tmp_path / "run"))
    ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert list((tmp_path / "run").glob("checkpoints/*/checkpoint.safetensors"))
    recipe = {**RECIPE, **changes, "teacher": {"adapt": what}}
    recipe["train"] = {**recipe["train"], "checkpoint_seconds": 0}
    resumed = lk.distil(teacher=backbone(), recipe=recipe, out=tmp_path / "run")
    whole = lk.distil(teacher=backbone(), recipe=recipe, out=tmp_path / "whole")
    kept = [(run.folder / "teacher" / "model.safetensors").read_bytes() for run in (resumed, whole)]
    assert kept[0] == kept[1]
    one, other = (np.load(run.folder / "predictions" / "teacher-seed0.npz")["logits"] for run in (resumed, whole))
    np.testing.assert_array_equal(one, other)


def test_it_is_kept_and_counted_in_the_record(tmp_path, quick):
    run = lk.distil(teacher=backbone(), recipe={**RECIPE, "teacher": {"adapt": "head"}}, out=tmp_path / "run")
    config = json.loads((run.folder / "teacher" / "config.json").read_text())
    assert (config["family"], config["origin"], config["classes"]) == (None, "given", [str(d) for d in range(10)])
    teacher = next(model for model in run.record.models if model.role == "teacher")
    assert teacher.settings["adapted"] == "head"
    assert teacher.steps == steps_for(10, 1222, 64)
    assert run.record.timing_s["teacher"] > 0
    with pytest.raises(ModelError, match="holds no teacher that can be built again"):
        plan(from_mapping({**RECIPE, "teacher": str(run.folder / "teacher")}), Given())


def test_a_librarys_adapted_teacher_teaches_again_from_its_folder(tmp_path, quick):
    pytest.importorskip("torchvision")
    pytest.importorskip("timm")
    teacher = {
        "from": "timm:test_resnet",
        "pretrained": False,
        "preprocess": {"size": [16, 16]},
        "adapt": {"epochs": 1},
    }
    run = lk.distil(recipe={**RECIPE, "teacher": teacher}, out=tmp_path / "run")
    made = plan(from_mapping({**RECIPE, "teacher": str(run.folder / "teacher")}), Given())
    live = raise_teacher(made, made.shop(tmp_path, Silent())).live
    logits = teacher_logits(live, evaluation_batches(made.splits.test, 128))
    np.testing.assert_allclose(
        logits, np.load(run.folder / "predictions" / "teacher-seed0.npz")["logits"], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("kind", ["onnx", "pt2"])
def test_a_black_box_is_probed_by_its_outputs(kind, tmp_path):
    net = backbone(outputs=32).eval()
    path = tmp_path / f"teacher.{kind}"
    if kind == "onnx":
        to_onnx(net, torch.zeros(2, 1, 8, 8), path)
    else:
        torch.export.save(torch.export.export(net, (torch.zeros(16, 1, 8, 8),)), path)
    given = Given(trust_code=True)
    how = {"epochs": 20, "learning_rate": 0.03}
    made, raised = adapted(how, tmp_path, {"from": str(path)}, given)
    assert accuracy(made, raised.live) > 0.4  # chance: 0.1; nobody taught those outputs more than remainders by 4
    with pytest.raises(ModelError, match="cannot be trained as a whole; use adapt: head"):
        adapted("all", tmp_path, {"from": str(path)}, given)


def test_a_head_by_its_path_and_logits_by_their_name(tmp_path):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = backbone(outputs=16)
            self.classifier = nn.Linear(16, 3)
            self.other = nn.Linear(16, 2)

        def forward(self, x):
            hidden = self.body(x)
            return {"logits": self.classifier(hidden), "other": self.other(hidden)}

    teacher = {"output": "logits"}
    made, raised = adapted(
        {"head": "classifier", "epochs": 20, "learning_rate": 0.03}, tmp_path, teacher, Given(teacher=Two())
    )
    assert raised.live.module.module.classifier.out_features == 10
    assert accuracy(made, raised.live) > 0.3
    with pytest.raises(ModelError, match=r"must give logits \(rows, 10\), it gave shape \(2, 3\)"):
        adapted("head", tmp_path / "last", teacher, Given(teacher=Two()))


def test_a_softmax_behind_the_new_head_is_found_or_undone(tmp_path):
    """Cross-entropy takes logits: probabilities in their place would train something else without a word."""
    soft = nn.Sequential(backbone(), nn.Softmax(1))
    how = {"head": "0.head", "epochs": 3, "learning_rate": 0.01}
    with pytest.raises(ModelError, match="so they seem to be probabilities"):
        adapted(how, tmp_path, given=Given(teacher=soft))
    _, raised = adapted(how, tmp_path / "a", {"output_kind": "probabilities"}, Given(teacher=soft))
    _, plain = adapted({**how, "head": "head"}, tmp_path / "b")
    mine, its = raised.live.module.state_dict()["0.head.weight"], plain.live.module.state_dict()["head.weight"]
    torch.testing.assert_close(mine, its, rtol=1e-2, atol=1e-3)
    assert adapted(how, tmp_path / "c", {"output_kind": "logits"}, Given(teacher=soft))


def test_a_black_boxs_probabilities_are_probed_as_logits(tmp_path):
    net = nn.Sequential(backbone(outputs=32), nn.Softmax(1)).eval()
    to_onnx(net, torch.zeros(2, 1, 8, 8), tmp_path / "teacher.onnx")
    teacher = {"from": str(tmp_path / "teacher.onnx")}
    with pytest.raises(ModelError, match="so they seem to be probabilities"):
        adapted("head", tmp_path, teacher, Given())
    made, raised = adapted("head", tmp_path / "a", {**teacher, "output_kind": "probabilities"}, Given())
    raw = torch.from_numpy(made.splits.transfer.read(np.arange(4)))
    with torch.no_grad():
        read = raised.live.module.model(raised.live.preprocess(raw))
    torch.testing.assert_close(read.exp().sum(1), torch.ones(4))


@pytest.mark.gpu
@pytest.mark.parametrize("how", ["head", "all"])
def test_on_the_gpu(how, tmp_path):
    runtime = {"threads": 1, "device": "cuda"}
    made, raised = adapted({"what": how, "epochs": 10, "learning_rate": 0.01}, tmp_path, runtime=runtime)
    assert accuracy(made, raised.live) > 0.6
    path = tmp_path / "teacher.onnx"
    to_onnx(backbone(outputs=32), torch.zeros(2, 1, 8, 8), path)
    made, raised = adapted("head", tmp_path / "box", {"from": str(path)}, Given(), runtime=runtime)
    assert accuracy(made, raised.live) > 0.3
