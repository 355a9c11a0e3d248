"""NaN and infinity stop a run, say which term made them and why, and keep the batch that did."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from limbeck.core.batch import Batch
from limbeck.core.runtime import Runtime
from limbeck.errors import NonFiniteError
from limbeck.objectives import HardLabels, Objective, SoftTargets, TeacherLabels, as_sum
from limbeck.training import checkpoint
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

from .workshop import Says, Stopped, Stops, always, batches, both, mlp, raises, run

NAN, INF = float("nan"), float("inf")


def stop(*, steps=8, objective=None, settings=None, make=mlp, **others):
    objective = 0.7 * SoftTargets(2.0) + 0.3 * HardLabels() if objective is None else objective
    with pytest.raises(NonFiniteError) as stopped:
        run(make(), [Stage(objective, steps, settings or always())], **others)
    assert stopped.value.exit_code == 1
    return str(stopped.value)


class Poisoned:
    """Float inputs with one bad pixel in the batch of step 2."""

    def __init__(self, value):
        self.value = value

    def from_step(self, step):
        for number, batch in enumerate(batches().from_step(step), start=step):
            inputs = batch.inputs.float()
            if number == 2:
                inputs[7, 0, 3, 3] = self.value
            yield Batch(batch.ids, batch.views, inputs, batch.target, weight=torch.ones(len(batch)))


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_poisoned_input(value, tmp_path):
    said = stop(source=Poisoned(value), teacher=Says(lambda b: torch.zeros(len(b), 10)), store=tmp_path)
    assert "step 2: soft-targets, hard-labels is not finite" in said
    assert "the batch's inputs already are not" in said
    assert str(tmp_path / "nonfinite.safetensors") in said
    assert "learning_rate" in said
    kept = load_file(tmp_path / "nonfinite.safetensors")
    assert kept.keys() == {"ids", "views", "inputs", "target", "weight", "student_logits", "teacher_logits"}
    rows = torch.nonzero(~torch.isfinite(kept["inputs"]).flatten(1).all(1)).flatten()
    assert rows.tolist() == [7]
    poisoned = Poisoned(value).from_step(2)
    batch = next(poisoned)
    assert torch.equal(kept["ids"], batch.ids)
    assert torch.equal(kept["inputs"].nan_to_num(), batch.inputs.nan_to_num())
    with safe_open(tmp_path / "nonfinite.safetensors", "pt") as file:
        meta = file.metadata()
    assert meta["step"] == "2"
    assert json.loads(meta["terms"]).keys() == {"soft-targets", "hard-labels"}


def test_a_teacher_that_says_nan(tmp_path):
    def say(batch):
        logits = torch.zeros(len(batch), 10)
        logits[3, 4] = NAN
        return logits

    said = stop(teacher=Says(say), store=tmp_path)
    assert "step 0: soft-targets is not finite (the teacher's logits are not)" in said
    assert load_file(tmp_path / "nonfinite.safetensors")["teacher_logits"][3, 4].isnan()
    assert "the teacher's logits are not" in stop(teacher=Says(say), objective=as_sum(TeacherLabels()))


def test_a_learning_rate_that_is_far_too_large():
    settings = always(TrainSettings(learning_rate=1e30, warmup_share=0.0, optimiser="sgd"))
    said = stop(settings=settings, steps=30)
    assert "student's" in said
    assert "learning_rate" in said


def test_a_rate_of_a_billion_with_adamw():
    """Weights stay finite, logits overflow."""

    class Deep(nn.Sequential):
        def __init__(self):
            torch.manual_seed(0)
            super().__init__(nn.Flatten(), *[nn.Linear(64, 64) for _ in range(5)], nn.Linear(64, 10))

        def forward(self, x):
            return super().forward(x / 255)

    settings = always(TrainSettings(learning_rate=1e9, warmup_share=0.0))
    said = stop(settings=settings, make=Deep, steps=5)
    assert "the student's logits are not, though its weights are finite" in said


class Bursts(Objective):
    """Finite itself; its slope is not, or its value."""

    def __init__(self, *, at=0, value=False):
        super().__init__()
        self.at, self.value, self.step = at, value, -1

    def needs(self):
        return HardLabels().needs()

    def terms(self, student, teacher, batch):
        self.step += 1
        zero = (student.logits - student.logits.detach()).square().sum()
        if self.step != self.at:
            return {"bursts": zero}
        return {"bursts": zero + INF if self.value else zero.sqrt()}


def test_it_arose_in_the_loss_itself():
    said = stop(objective=HardLabels() + Bursts(value=True))
    assert (
        "step 0: bursts is not finite (inputs, weights and logits are finite, so it arose in the loss itself)" in said
    )


def test_a_finite_loss_with_an_infinite_slope_is_found_a_step_later(tmp_path):
    said = stop(objective=HardLabels() + Bursts(at=3), store=tmp_path)
    assert "step 4: the student's" in said
    assert "though the loss was" in said
    assert checkpoint.peek(tmp_path / "checkpoint.safetensors").step == 3, "no poisoned weights are saved"
    rarely = TrainSettings(checkpoint_seconds=1e9)
    said = stop(objective=HardLabels() + Bursts(at=3), settings=rarely)
    assert "step 4: hard-labels, bursts is not finite (the student's weights became so in an earlier step)" in said


def test_weights_that_became_infinite_in_the_very_last_step_are_refused():
    assert "step 4: the student's" in stop(objective=HardLabels() + Bursts(at=3), steps=4)


def test_infinite_running_statistics_are_refused():
    """A finite float32 mean whose variance overflows."""

    class Overflows(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.body = nn.BatchNorm2d(1), mlp()

        def forward(self, x):
            self.norm(x * 1e30)
            return self.body(x)

    assert "norm.running_var is not finite" in stop(make=Overflows, steps=2)


def test_terms_that_cancel_in_name_only():
    """inf and -inf."""

    class Both(Bursts):
        def terms(self, student, teacher, batch):
            zero = student.logits.sum() * 0
            return {"up": zero + INF, "down": zero - INF}

    assert "step 0: up, down is not finite" in stop(objective=as_sum(Both()))


def test_nothing_is_saved_without_a_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "nonfinite.safetensors" not in stop(source=Poisoned(NAN))
    assert list(tmp_path.iterdir()) == []


def test_the_last_checkpoint_is_left_as_it_was(tmp_path):
    with pytest.raises(Stopped):
        run(mlp(), both(always(), 8), source=Stops({2: raises}), store=tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    stop(source=Poisoned(NAN), store=tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_half_precision_overflow_is_found_too():
    class Large(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp()

        def forward(self, x):
            return self.body(x) * 3e38 * 10

    assert "the student's logits are not" in stop(make=Large, runtime=Runtime("cpu", 1, "bf16"), steps=3)
