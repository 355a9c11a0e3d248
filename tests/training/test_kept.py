"""The moving average of the weights: against torch's own, against arithmetic, and what is validated and kept."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from limbeck.errors import RunFolderError
from limbeck.objectives import HardLabels, SoftTargets, as_sum
from limbeck.training.kept import Kept, average
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

from .workshop import Stopped, Stops, conv, evaluate, mlp, raises, run


def wander(model, seed):
    """Weights and running statistics as some training would leave them."""
    generator = torch.Generator().manual_seed(seed)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator))
        else:
            value.fill_(seed)


def test_it_is_the_average_of_torch():
    """Once the warm-up of the decay is over; buffers too."""
    model = conv()
    kept, theirs = Kept(model), AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.6), use_buffers=True)
    theirs.update_parameters(model)  # its first update copies
    for seed in range(6):
        wander(model, seed)
        average(kept, model, decay=0.6, updates=100)
        theirs.update_parameters(model)
    for name, value in theirs.module.state_dict().items():
        expected = value if value.is_floating_point() else model.state_dict()[name]  # counters are not averaged
        torch.testing.assert_close(kept.tensors[name], expected)


@settings(deadline=None)
@given(decay=st.floats(0.01, 0.9999), values=st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_the_average_by_hand(decay, values):
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(model.weight, 1.0)
    kept, expected = Kept(model), 1.0
    for updates, value in enumerate(values):
        nn.init.constant_(model.weight, value)
        average(kept, model, decay=decay, updates=updates)
        rate = min(decay, (1 + updates) / (10 + updates))
        expected = rate * expected + (1 - rate) * value
    assert kept.tensors["weight"].item() == pytest.approx(expected, abs=1e-9)
    assert min([1.0, *values]) - 1e-9 <= expected <= max([1.0, *values]) + 1e-9


def test_lending_leaves_the_model_as_it_was():
    model = conv()
    kept = Kept(model)
    wander(model, 3)
    before = copy.deepcopy(model.state_dict())
    with kept.lent(model):
        assert not torch.equal(model.state_dict()["2.head.weight"], before["2.head.weight"])
        wander(model, 4)
    with pytest.raises(Stopped), kept.lent(model):
        raises()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_weights_of_another_model_are_refused():
    with pytest.raises(RunFolderError, match="without these weights"):
        Kept(mlp()).load_state_dict(Kept(conv()).state_dict())


def stage(steps=12, **values):
    return [Stage(as_sum(HardLabels()), steps, TrainSettings(**{"learning_rate": 0.02, "evaluations": 3, **values}))]


def test_what_is_validated_is_what_is_kept():
    for values in ({"ema": 0.8}, {"ema": 0.8, "patience": 9}):
        model = conv()
        done = run(model, stage(**values))
        row = next(row for row in done.history if row["step"] == done.kept)
        assert {name: value for name, value in row["values"].items() if name.startswith("val/")} == evaluate(model)


def test_averaging_does_not_change_the_training():
    """Only what is looked at and kept: the losses are the same to the last bit."""
    plain, averaged = conv(), conv()
    one, two = run(plain, stage()), run(averaged, stage(ema=0.9))
    losses = [[row["values"]["train/hard-labels"] for row in done.history] for done in (one, two)]
    assert losses[0] == losses[1]
    assert not torch.equal(plain.state_dict()["2.head.weight"], averaged.state_dict()["2.head.weight"])


def test_the_average_is_that_of_the_weights_after_each_step():
    """Replayed from the weights of every step, which a training without an average leaves behind."""
    kept = Kept(conv())
    for steps in range(1, 7):
        model = conv()
        run(model, stage(steps, schedule="constant", warmup_share=0.0))
        average(kept, model, decay=0.7, updates=steps - 1)
    model = conv()
    run(model, stage(6, schedule="constant", warmup_share=0.0, ema=0.7))
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, kept.tensors[name], msg=name)


def test_the_next_stage_starts_from_the_average():
    first, both = conv(), conv()
    run(first, stage(6, ema=0.7))
    second = Stage(as_sum(SoftTargets()), 1, TrainSettings(learning_rate=1e-9, warmup_share=0.0, weight_decay=0.0))
    run(both, [*stage(6, ema=0.7), second])
    torch.testing.assert_close(both.state_dict()["2.head.weight"], first.state_dict()["2.head.weight"])


def test_a_checkpoint_without_an_average_is_refused(tmp_path):
    with pytest.raises(Stopped):
        run(mlp(), stage(checkpoint_seconds=0.0), store=tmp_path, source=Stops({5: raises}))
    with pytest.raises(RunFolderError, match="without these weights"):
        run(mlp(), stage(checkpoint_seconds=0.0, ema=0.5), store=tmp_path)
