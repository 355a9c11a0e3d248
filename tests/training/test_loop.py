"""The loop: it learns, it looks when it said it would, it asks whom it must, and it leaves a plain module behind."""

import contextlib
import copy
import math
import random
import signal
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from limbeck.core.protocols import Batches, Evaluate, Objective, SignalSource
from limbeck.core.runtime import Runtime
from limbeck.core.signals import Signals
from limbeck.data.views import Views
from limbeck.errors import Interrupted, ModelError
from limbeck.objectives import First, HardLabels, SoftTargets, as_sum
from limbeck.objectives.hint import Hint
from limbeck.training.asking import Asking
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

from .workshop import (
    BATCH,
    Bridged,
    Says,
    Stopped,
    Stops,
    always,
    batches,
    both,
    conv,
    evaluate,
    mlp,
    raises,
    run,
    teacher,
    terminates,
)


def settings(**values):
    return TrainSettings(**{"learning_rate": 1e-2, "evaluations": 4, **values})


def labels(steps, **values):
    return [Stage(as_sum(HardLabels()), steps, settings(**values))]


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_roles_are_filled():
    assert isinstance(teacher(), SignalSource)
    checked: tuple[Batches, Evaluate, Objective] = batches(), evaluate, as_sum(HardLabels())
    assert all(checked)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_it_learns_the_digits(optimiser):
    model = mlp()
    before = evaluate(model)
    rate = {"adamw": 1e-2, "sgd": 0.1}[optimiser]
    done = run(
        model, labels(120, optimiser=optimiser, learning_rate=rate, evaluations=6), source=batches(views=Views())
    )
    losses = [row["values"]["train/hard-labels"] for row in done.history]
    assert losses[0] > 1.3 * losses[1]
    assert losses[-1] < 0.3 * losses[0]
    after = done.history[-1]["values"]
    assert before["val/accuracy"] < 0.4
    assert after["val/accuracy"] > 0.75
    assert after == {**evaluate(model), "train/hard-labels": losses[-1]}


def test_the_student_comes_to_agree_with_its_teacher():
    model = mlp()
    done = run(model, [Stage(as_sum(SoftTargets(2.0)), 150, settings(evaluations=2))], source=batches(views=Views()))
    said = [row["values"]["train/soft-targets"] for row in done.history]
    assert said[1] < 0.5 * said[0]


@pytest.mark.parametrize(
    ("steps", "evaluations", "at"),
    [(14, 4, [4, 7, 10, 14]), (10, 5, [2, 4, 6, 8, 10]), (3, 20, [1, 2, 3]), (7, 1, [7]), (1, 1, [1])],
)
def test_history_rows_stand_where_they_were_promised(steps, evaluations, at):
    done = run(mlp(), labels(steps, evaluations=evaluations))
    assert [row["step"] for row in done.history] == at
    assert [row["epoch"] for row in done.history] == [round(step * BATCH / 200, 4) for step in at]
    assert all(row.keys() == {"step", "epoch", "values"} for row in done.history)
    assert done.steps == steps
    assert done.seconds > 0


def test_history_rows_are_means_of_the_steps_before_them():
    """Of what was minimised, weights included."""
    every = run(mlp(), both(settings(evaluations=12), 12)).history
    some = run(mlp(), both(settings(evaluations=3), 12)).history
    for number, row in enumerate(some):
        for name in ("train/soft-targets", "train/hard-labels"):
            mean = sum(each["values"][name] for each in every[4 * number : 4 * number + 4]) / 4
            assert row["values"][name] == pytest.approx(mean, rel=1e-12)
        assert row["values"]["val/nll"] == every[4 * number + 3]["values"]["val/nll"]


def test_each_look_logs_the_shares_of_the_loss():
    for row in run(mlp(), both(settings(evaluations=3), 12)).history:
        values = row["values"]
        terms = {name: values[f"train/{name}"] for name in ("soft-targets", "hard-labels")}
        for name, term in terms.items():
            assert values[f"train/share/{name}"] == pytest.approx(term / sum(terms.values()), rel=1e-12)


def test_a_single_term_has_no_share_to_tell():
    names = {name for row in run(mlp(), labels(4)).history for name in row["values"]}
    assert not any("share" in name for name in names)


def test_stages_follow_each_other():
    stages = [*labels(3, evaluations=1), Stage(as_sum(SoftTargets()), 5, settings(evaluations=2))]
    done = run(mlp(), stages)
    assert [(row["step"], *row["values"]) for row in done.history] == [
        (3, "train/hard-labels", "val/accuracy", "val/nll", "val/brier"),
        (5, "train/soft-targets", "val/accuracy", "val/nll", "val/brier"),
        (8, "train/soft-targets", "val/accuracy", "val/nll", "val/brier"),
    ]


def test_one_stage_object_may_stand_twice(tmp_path):
    stage = labels(4, checkpoint_seconds=0.0)[0]
    plain, resumed = mlp(), mlp()
    run(plain, [stage, stage])
    for step in (2, 6):
        with pytest.raises(Stopped):
            run(mlp(), [stage, stage], store=tmp_path, source=Stops({step: raises}))
    done = run(resumed, [stage, stage], store=tmp_path)
    assert done.steps == 8
    assert equal(plain.state_dict(), resumed.state_dict())


def test_batches_are_asked_for_step_by_step():
    """One for each step, none beyond the last."""
    asked = []
    source = Stops({step: lambda step=step: asked.append(step) for step in range(20)})
    run(mlp(), [*labels(3), *labels(4)], source=source)
    assert asked == [0, 1, 2, 3, 4, 5, 6]


def test_the_teacher_is_asked_only_while_it_counts():
    says = Says(lambda batch: torch.zeros(len(batch), 10))
    objective = First(1.0, share=0.3) * SoftTargets() + HardLabels()
    run(mlp(), [Stage(objective, 10, settings())], teacher=says)
    assert says.asked == [BATCH] * 3
    run(mlp(), labels(3), teacher=None)


def test_an_objective_without_its_teacher_is_refused():
    with pytest.raises(ModelError, match="listens to a teacher"):
        run(mlp(), both(settings(), 3), teacher=None)


def test_schedules_start_anew_in_each_stage():
    says = Says(lambda batch: torch.zeros(len(batch), 10))
    stages = [Stage(First(1.0, share=0.5) * SoftTargets() + HardLabels(), 4, settings()) for _ in range(2)]
    run(mlp(), stages, teacher=says)
    assert len(says.asked) == 4


def test_bridges_are_trained_with_the_student():
    objective = as_sum(Bridged())
    before = copy.deepcopy(objective.state_dict())
    run(mlp(), [Stage(objective, 3, settings())])
    after = objective.state_dict()
    assert not torch.equal(before["parts.0.bridge.weight"], after["parts.0.bridge.weight"])
    assert after["parts.0.seen"].item() == 3 * BATCH


def test_only_what_a_stage_trains_moves():
    model = mlp()
    before = state(model)
    run(model, [Stage(as_sum(HardLabels()), 5, settings(), trains=("2.",))])
    moved = [name for name in before if not torch.equal(before[name], model.state_dict()[name])]
    assert moved == ["2.weight", "2.bias"]
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_prefix_that_fits_nothing_is_named():
    with pytest.raises(ModelError, match=r"no parameter begins with '3\.'; the student has 1, 2"):
        run(mlp(), [Stage(as_sum(HardLabels()), 5, settings(), trains=("2.", "3."))])


def test_what_its_owner_froze_stays_frozen():
    model = mlp()
    model[1].requires_grad_(requires_grad=False)
    before = state(model)
    run(model, labels(4))
    assert [name for name in before if not torch.equal(before[name], model.state_dict()[name])] == [
        "2.weight", "2.bias",
    ]  # fmt: skip
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True]


def test_a_student_without_anything_to_train_is_refused():
    with pytest.raises(ModelError, match="nothing to train"):
        run(mlp().requires_grad_(requires_grad=False), labels(3))


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = mlp()

    def forward(self, x):
        return self.body(x), x


@pytest.mark.parametrize("make", [Pair, lambda: nn.Sequential(mlp(), nn.Linear(10, 9))])
def test_students_with_other_outputs_are_refused(make):
    with pytest.raises(ModelError, match=r"one tensor of logits|give the student as many outputs"):
        run(make(), both(settings(), 3))


@pytest.mark.parametrize("precision", ["no", "bf16"])
@pytest.mark.parametrize("make", [mlp, conv])
def test_a_plain_module_is_left(make, precision):
    model, untouched = make(), make()
    before = dict(model.__dict__)
    run(model, both(settings(), 4), runtime=Runtime("cpu", 1, precision))
    assert type(model) is type(untouched)
    assert model.state_dict().keys() == untouched.state_dict().keys()
    assert model.__dict__.keys() == before.keys()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert not any(module.training for module in model.modules())
    assert all(value.dtype == untouched.state_dict()[name].dtype for name, value in model.state_dict().items())
    assert torch.equal(copy.deepcopy(model)(torch.ones(2, 1, 8, 8)), model(torch.ones(2, 1, 8, 8)))


@pytest.mark.parametrize("part", ["engine.Engine", "Asking"])
def test_nothing_stays_frozen_or_wrapped_where_a_stage_cannot_begin(part, monkeypatch):
    def no_room(*_, **__):
        raise MemoryError

    model = mlp()
    before = set(model.__dict__)
    monkeypatch.setattr(f"limbeck.training.sitting.{part}", no_room)
    with pytest.raises(MemoryError):
        run(model, [Stage(as_sum(HardLabels()), 3, settings(), trains=("2.",))], runtime=Runtime("cpu", 1, "bf16"))
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.__dict__.keys() == before


def test_no_activation_outlives_its_pass(monkeypatch):
    """Neither that of a step, which may be large while validation is asked, nor that of validation."""
    there, held = [], []

    class Watched(Asking):
        def __init__(self, engine, needs):
            super().__init__(engine, needs)
            there.append(self)

        def signals(self, batch):
            held.append(len(self._read))
            said = super().signals(batch)
            assert said.features["1.2"].requires_grad
            held.append(len(self._read))
            return said

    monkeypatch.setattr("limbeck.training.sitting.Asking", Watched)
    looks = []

    def look(model):
        found = evaluate(model)
        looks.append(len(there[-1]._read))
        return found

    run(mlp(), [Stage(Hint("1.2", "2", "mean-square") + HardLabels(), 4, settings(evaluations=2))], evaluate=look)
    assert held == [0] * 8
    assert looks == [1, 1], "hooks stay on while the student is asked by others"


@pytest.mark.parametrize("end", [raises, terminates])
def test_a_plain_module_is_left_after_an_error_too(end):
    model = mlp()
    with pytest.raises((Stopped, Interrupted)):
        run(
            model,
            [Stage(as_sum(HardLabels()), 9, settings(), trains=("2.",))],
            source=Stops({2: end}),
            runtime=Runtime("cpu", 1, "bf16"),
        )
    assert model.__dict__.keys() == mlp().__dict__.keys()
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not model.training


def test_evaluating_leaves_mode_and_random_state():
    """However often it is looked at, the weights are the same."""
    rare, often = mlp(), mlp()
    run(rare, labels(9, evaluations=1))
    run(often, labels(9, evaluations=9))
    assert equal(rare.state_dict(), often.state_dict())


def test_the_student_is_in_training_mode_at_each_step():
    modes = []

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp()

        def forward(self, x):
            modes.append((self.training, self.body[1][3].training, torch.is_grad_enabled()))
            return self.body(x)

    run(Watched().eval(), labels(4, evaluations=2))
    assert modes == [(True,) * 3] * 2 + [(False,) * 3] * 2 + [(True,) * 3] * 2 + [(False,) * 3] * 2


def test_the_seed_is_that_of_dropout():
    one, same, other = mlp(), mlp(), mlp()
    for model, seed in ((one, 0), (same, 0), (other, 1)):
        run(model, labels(4), seed=seed)
    assert equal(one.state_dict(), same.state_dict())
    assert not equal(one.state_dict(), other.state_dict())


def test_python_and_numpy_are_seeded_too():
    drawn = []
    for _ in range(2):
        run(mlp(), labels(1))
        drawn.append((random.random(), np.random.random()))  # noqa: NPY002
    assert drawn[0] == drawn[1]


def test_threads_and_signal_handlers_are_given_back(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)], torch.get_num_threads()
    for source in (batches(), Stops({1: raises}), Stops({1: terminates})):
        with contextlib.suppress(Stopped, Interrupted):
            run(mlp(), labels(3), source=source, runtime=Runtime("cpu", 1), store=tmp_path / str(id(source)))
        after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)], torch.get_num_threads()
        assert before == after


class Watcher:
    """Notes what is shown."""

    def __init__(self):
        self.names, self.steps, self.values, self.total = [], 0, [], 0

    def say(self, message):
        raise AssertionError(message)

    def task(self, name, total):
        self.names.append(name)
        self.total = total
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def advance(self, steps=1, *, values=None):
        self.steps += steps
        self.values.append(values)


def test_progress_is_shown_with_the_losses_by_name(tmp_path):
    shown = Watcher()
    with pytest.raises(Stopped):
        run(mlp(), both(always(), 9), source=Stops({5: raises}), store=tmp_path, reporter=shown, name="student")
    assert (shown.names, shown.total, shown.steps) == (["student"], 9, 5)
    assert all(values.keys() == {"soft-targets", "hard-labels"} for values in shown.values if values)
    again = Watcher()
    run(mlp(), both(always(), 9), store=tmp_path, reporter=again)
    assert again.steps == 9
    assert len([values for values in again.values if values]) == 4


def test_time_adds_up_over_sittings(tmp_path):
    with pytest.raises(Stopped):
        run(mlp(), both(always(), 9), source=Stops({5: raises}), store=tmp_path)
    assert 0 < run(mlp(), both(always(), 9), store=tmp_path).seconds < 30


def test_without_a_store_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(mlp(), both(always(), 3))
    assert list(tmp_path.iterdir()) == []


def test_half_precision_learns_and_its_loss_is_float32():
    seen = []

    class Looks(HardLabels):
        def terms(self, student, teacher, batch):
            seen.append((student.logits.dtype, torch.is_autocast_enabled("cpu")))
            found = super().terms(student, teacher, batch)
            seen.append((found["hard-labels"].dtype, torch.is_autocast_enabled("cpu")))
            return found

    inside = []

    class Inside(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp()

        def forward(self, x):
            if self.training:
                inside.append(self.body[1][1](torch.zeros(1, 64)).dtype)
            return self.body(x)

    done = run(
        Inside(),
        [Stage(as_sum(Looks()), 60, settings(evaluations=4))],
        runtime=Runtime("cpu", 1, "bf16"),
        source=batches(views=Views()),
    )
    losses = [row["values"]["train/hard-labels"] for row in done.history]
    assert losses[-1] < 0.6 * losses[0]
    assert set(seen) == {(torch.float32, False)}
    assert set(inside) == {torch.bfloat16}


def test_every_stage_and_every_training_has_its_own_precision():
    """In one process, also with one module."""
    seen = []

    class Looks(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            if self.training:
                seen.append(y.dtype)
            return y

    model = mlp()
    model[2] = Looks(24, 10)
    for precision in ("no", "bf16", "no", "bf16"):
        run(model, [*labels(1), *labels(1)], runtime=Runtime("cpu", 1, precision))
    assert seen == [torch.float32] * 2 + [torch.bfloat16] * 2 + [torch.float32] * 2 + [torch.bfloat16] * 2


def test_half_precision_resumes_to_the_same_bits(tmp_path):
    half = Runtime("cpu", 1, "bf16")
    stages = lambda: [*both(always(), 3), *both(always(optimiser="sgd"), 4)]  # noqa: E731
    plain, resumed = conv(), conv()
    run(plain, stages(), runtime=half)
    for step in (2, 4, 5):
        with pytest.raises(Stopped):
            run(conv(), stages(), runtime=half, store=tmp_path, source=Stops({step: raises}))
    run(resumed, stages(), runtime=half, store=tmp_path)
    assert equal(plain.state_dict(), resumed.state_dict())


def test_channels_last_is_only_a_layout():
    """The same training on contiguous weights differs by rounding alone."""
    model, other = conv(), conv()
    other[2].body.register_forward_pre_hook(lambda _module, inputs: (inputs[0].contiguous(),))
    run(model, both(settings(), 3))
    run(other, both(settings(), 3))
    assert model[2].body[0][0].weight.is_contiguous(memory_format=torch.channels_last)
    for name, value in model.state_dict().items():
        assert torch.allclose(value.float(), other.state_dict()[name].float(), atol=1e-4)


def test_clipping_bounds_the_step():
    """With plain SGD a step is rate times gradient."""
    model = mlp()
    before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
    plain = {"optimiser": "sgd", "momentum": 0.0, "schedule": "constant", "weight_decay": 0.0, "warmup_share": 0.0}
    run(model, labels(1, learning_rate=1.0, clip_norm=0.01, **plain))
    after = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert (after - before).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_a_step_is_the_textbook_step():
    """One step of plain SGD by hand."""
    model, by_hand = mlp(), mlp()
    for each in (model, by_hand):
        each[1][3].p = 0.0
    plain = {"optimiser": "sgd", "momentum": 0.0, "schedule": "constant", "weight_decay": 0.0, "warmup_share": 0.0}
    run(model, labels(1, learning_rate=0.3, **plain))
    batch = next(batches().from_step(0))
    loss = nn.functional.cross_entropy(by_hand.train()(batch.inputs), batch.target)
    gradients = torch.autograd.grad(loss, list(by_hand.parameters()))
    for parameter, gradient, trained in zip(by_hand.parameters(), gradients, model.parameters(), strict=True):
        assert torch.allclose(parameter - 0.3 * gradient, trained, atol=1e-7)


def test_learning_rates_are_those_of_the_schedule(monkeypatch):
    rates = []
    from limbeck.training import sitting

    original = sitting.set_learning_rate
    monkeypatch.setattr(sitting, "set_learning_rate", lambda o, rate: (rates.append(rate), original(o, rate)))
    run(mlp(), [*labels(6, warmup_share=0.5), *labels(2, schedule="constant", warmup_share=0.0, learning_rate=0.1)])
    assert rates[:3] == pytest.approx([1e-2 / 3, 2e-2 / 3, 1e-2])
    assert all(b < a for a, b in pairwise(rates[3:6]))
    assert rates[6:] == [0.1, 0.1]
    assert all(math.isfinite(rate) and rate > 0 for rate in rates)


@pytest.mark.gpu
def test_the_gpu_learns_too():
    model = conv()
    done = run(model, both(settings(evaluations=4), 60), runtime=Runtime("cuda", 1, "bf16"), teacher=on_cuda())
    assert next(model.parameters()).device.type == "cuda"
    losses = [row["values"]["train/hard-labels"] for row in done.history]
    assert losses[-1] < losses[0]


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["no", "fp16"])
def test_the_gpu_resumes_closely(precision, tmp_path):
    """No claim on bits there: the first step after resuming is compared within a tolerance."""
    gpu = Runtime("cuda", 1, precision)
    plain, resumed = conv(), conv()
    run(plain, both(always(), 4), runtime=gpu, teacher=on_cuda())
    with pytest.raises(Stopped):
        run(conv(), both(always(), 4), runtime=gpu, teacher=on_cuda(), store=tmp_path, source=Stops({3: raises}))
    run(resumed, both(always(), 4), runtime=gpu, teacher=on_cuda(), store=tmp_path)
    for name, value in plain.state_dict().items():
        assert torch.allclose(value.float(), resumed.state_dict()[name].float(), atol=1e-2)


def on_cuda():
    return Says(lambda batch: Signals(torch.zeros(len(batch), 10, device="cuda")).logits)
