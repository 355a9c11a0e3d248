"""Teachers that grow with the student: peers against the paper's loop written out, averages against their law."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from limbeck.core.runtime import Runtime
from limbeck.core.signals import Signals
from limbeck.errors import Interrupted, ModelError, NonFiniteError, RunFolderError
from limbeck.objectives import First, HardLabels, SoftTargets, as_sum
from limbeck.objectives.hint import Hint
from limbeck.objectives.rkd_distance import RKDDistance
from limbeck.training import checkpoint
from limbeck.training.growing import Growing
from limbeck.training.kept import Kept, average
from limbeck.training.optimiser import learning_rate
from limbeck.training.peers import Peers, mixed
from limbeck.training.self_teacher import SelfTeacher
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

from .workshop import CPU, Outcome, Stopped, Stops, always, batches, conv, mlp, raises, run, teacher, terminates

STEPS = 10
BOTH = HardLabels() + SoftTargets(1.0)


def plain(seed: int) -> nn.Module:
    """Neither dropout nor batch statistics: the loop written out draws nothing."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Tanh(), nn.Linear(12, 10))


class Floats(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x):
        return self.body(x.float() / 255)


def literally(models, settings, steps):
    """Zhang et al. 2018, equations (1) to (8), for any number of students, without Limbeck's losses."""
    optimisers = []
    for model in models:
        matrices = [p for p in model.parameters() if p.ndim > 1]
        vectors = [p for p in model.parameters() if p.ndim < 2]
        groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        optimisers.append(torch.optim.AdamW(groups, lr=1.0))
    stream = batches().from_step(0)
    for step in range(steps):
        batch = next(stream)
        logits = [model(batch.inputs) for model in models]
        losses = []
        for k, own in enumerate(logits):
            log_own = own.log_softmax(1)
            loss = F.cross_entropy(own, batch.target)
            for j, other in enumerate(logits):
                if j != k:
                    p = other.detach().softmax(1)
                    loss = loss + (p * (p.log() - log_own)).sum(1).mean() / (len(models) - 1)
            losses.append(loss)
        for model, optimiser, loss in zip(models, optimisers, losses, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, steps, settings)
            optimiser.zero_grad()
            loss.backward()
            if settings.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
            optimiser.step()


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("changes", [{}, {"clip_norm": 0.3}, {"accumulate": 3}], ids=str)
def test_peers_learn_as_the_paper_says(count, changes):
    settings = TrainSettings(learning_rate=5e-3, weight_decay=0.1, **changes)
    ours = [Floats(plain(seed)) for seed in range(count)]
    theirs = copy.deepcopy(ours)
    run(ours[0], [Stage(copy.deepcopy(BOTH), STEPS, settings)], teacher=Peers(ours[1:]))
    literally(theirs, settings, STEPS)
    for mine, its in zip(ours, theirs, strict=True):
        for (name, one), (_, other) in zip(mine.named_parameters(), its.named_parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-6, msg=name)
        assert not mine.training


def test_what_several_say_has_the_gradient_of_the_mean_of_divergences():
    torch.manual_seed(0)
    others, own = torch.randn(3, 8, 5), torch.randn(8, 5, requires_grad=True)
    mean = torch.stack([SoftTargets(1.0)(own, other) for other in others]).mean()
    (one,) = torch.autograd.grad(mean, own)
    (other,) = torch.autograd.grad(SoftTargets(1.0)(own, mixed(list(others))), own)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-7)


def test_one_other_is_heard_as_it_is():
    logits = torch.randn(4, 10, requires_grad=True)
    assert torch.equal(mixed([logits]), logits)
    assert not mixed([logits]).requires_grad


def test_peers_who_begin_alike_have_nothing_to_tell():
    """Then the term is 0, and all learn as one does alone."""
    alone, one, other = (Floats(plain(0)) for _ in range(3))
    settings = TrainSettings(learning_rate=5e-3)
    done = run(one, [Stage(copy.deepcopy(BOTH), STEPS, settings)], teacher=Peers([other]))
    run(alone, [Stage(as_sum(HardLabels()), STEPS, settings)], teacher=None)
    for mine, its, single in zip(one.parameters(), other.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=1e-6)
        torch.testing.assert_close(mine, single, rtol=0, atol=1e-6)
    assert all(abs(row["values"]["train/soft-targets"]) < 1e-6 for row in done.history)


def test_peers_learn_from_labels_where_nobody_is_listened_to_yet():
    """The teacher's weight falls to 0 halfway: the student is then alone, and so is each peer; both go on learning."""
    ours = [Floats(plain(seed)) for seed in range(2)]
    stage = Stage(First(1.0, share=0.5) * SoftTargets(1.0) + HardLabels(), STEPS, TrainSettings(evaluations=2))
    before = copy.deepcopy(ours[1].state_dict())
    done = run(ours[0], [stage], teacher=Peers(ours[1:]))
    assert "train/soft-targets" in done.history[0]["values"]
    assert "train/soft-targets" not in done.history[1]["values"]
    assert all(not torch.equal(before[name], value) for name, value in ours[1].state_dict().items())


def test_rows_are_compared_among_peers_too():
    ours = [conv(seed) for seed in range(2)]
    done = run(ours[0], [Stage(RKDDistance() + HardLabels(), 4, TrainSettings())], teacher=Peers(ours[1:]))
    assert done.steps == 4


def test_an_average_of_a_student_that_stays_is_the_student():
    model = mlp(0)
    own = SelfTeacher(0.9)
    own.begin(model, as_sum(SoftTargets()), TrainSettings(), CPU)
    for step in range(20):
        own.follow(model, 0.1, step)
    batch = next(batches().from_step(0))
    with torch.no_grad():
        expected = model.eval()(batch.inputs)
    assert torch.equal(own.signals(batch).logits, expected)


def test_the_average_is_of_the_students_steps_and_hears_no_gradient():
    model, heard = conv(0), []
    settings = TrainSettings(learning_rate=5e-3)
    expected = Kept(conv(0))

    class Watched(SelfTeacher):
        def follow(self, model, rate, done):
            average(expected, model, decay=0.8, updates=done)
            super().follow(model, rate, done)

        def signals(self, batch):
            heard.append(super().signals(batch).logits)
            return Signals(logits=heard[-1])

    own = Watched(0.8)
    run(model, [Stage(copy.deepcopy(BOTH), STEPS, settings)], teacher=own)
    assert len(heard) == STEPS
    assert not any(each.requires_grad for each in heard)
    for name, value in own.state_dict().items():
        assert torch.equal(value, expected.tensors[name]), name
    assert any(
        not torch.equal(value, dict(model.named_parameters()).get(name, value))
        for name, value in expected.tensors.items()
    )
    assert not any(p.requires_grad for p in own.module.parameters())
    assert not own.module.training


def grown(kind: str) -> Growing:
    return SelfTeacher(0.8) if kind == "ema" else Peers([conv(number) for number in range(1, int(kind))])


def settings_of(kind: str):
    return always(evaluations=4, accumulate=2, clip_norm=1.0, ema=0.7) if kind == "3" else always(evaluations=4)


def work(kind: str, **others) -> Outcome:
    model, stage, teaches = conv(0), Stage(copy.deepcopy(BOTH), STEPS, settings_of(kind)), grown(kind)
    done = run(model, [stage], teacher=teaches, **others)
    beside = {name: value.clone() for name, value in teaches.state_dict().items()}
    return Outcome(model.state_dict(), done.history, [beside])


every_kind = pytest.mark.parametrize("kind", ["ema", "2", "3"])


@every_kind
def test_stopped_at_every_step(kind, tmp_path):
    """The student, and everything that its teacher is by then, end in the same bits."""
    for step in range(1, STEPS):
        with pytest.raises(Stopped):
            work(kind, store=tmp_path, source=Stops({step: raises}))
        assert checkpoint.peek(tmp_path / "checkpoint.safetensors").step == step
    assert work(kind).differences(work(kind, store=tmp_path)) == []


@every_kind
def test_sigterm_saves_and_the_same_call_goes_on(kind, tmp_path):
    for step in (2, 6):
        with pytest.raises(Interrupted, match=f"stopped at step {step + 1}"):
            work(kind, store=tmp_path, source=Stops({step: terminates}))
    assert work(kind).differences(work(kind, store=tmp_path)) == []


def test_a_checkpoint_without_the_average_is_refused(tmp_path):
    with pytest.raises(Stopped):
        run(
            conv(0),
            [Stage(copy.deepcopy(BOTH), STEPS, always())],
            teacher=teacher(),
            store=tmp_path,
            source=Stops({2: raises}),
        )
    with pytest.raises(RunFolderError, match="without these weights"):
        work("ema", store=tmp_path)


@pytest.mark.parametrize("kind", ["ema", "2"])
def test_what_a_teacher_that_grows_does_not_go_with(kind):
    stage = Stage(copy.deepcopy(BOTH), 4, TrainSettings())
    with pytest.raises(ModelError, match="has one stage"):
        run(conv(0), [Stage(as_sum(HardLabels()), 2, TrainSettings()), stage], teacher=grown(kind))
    with pytest.raises(ModelError, match="knows nothing yet"):
        run(conv(0), [Stage(copy.deepcopy(BOTH), 4, TrainSettings(balance=True))], teacher=grown(kind))
    with pytest.raises(ModelError, match="strategy: ddp"):
        grown(kind).begin(conv(0), BOTH, TrainSettings(), Runtime("cpu", 1, strategy="fsdp"))
    with pytest.raises(ModelError, match="its answers only"):
        grown(kind).begin(conv(0), as_sum(Hint("1", "2")), TrainSettings(), CPU)


def test_a_peer_that_diverges_is_named():
    wild = Floats(plain(1))
    with torch.no_grad():
        wild.body[1].weight.fill_(float("nan"))
    with pytest.raises(NonFiniteError):
        run(Floats(plain(0)), [Stage(copy.deepcopy(BOTH), 4, TrainSettings())], teacher=Peers([wild]))


def test_only_what_grows_is_taken_for_it():
    assert isinstance(Peers([]), Growing)
    assert isinstance(SelfTeacher(0.5), Growing)
    assert not isinstance(teacher(), Growing)
