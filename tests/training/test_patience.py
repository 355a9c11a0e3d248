"""Early stopping: it waits as long as it said, keeps the best, and resumes to the same."""

import math
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from limbeck.errors import Interrupted
from limbeck.objectives import HardLabels, as_sum
from limbeck.training.patience import Goal, best_step, waited
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

from .workshop import GOAL, Stopped, Stops, conv, evaluate, mlp, raises, run, terminates

values_of = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, math.nan]), min_size=1, max_size=20)


def rows(values, losses=None):
    losses = [0.0] * len(values) if losses is None else losses
    pairs = enumerate(zip(values, losses, strict=True), 1)
    return [{"step": 10 * n, "values": {"val/accuracy": a, "val/nll": b}} for n, (a, b) in pairs]


@given(values=values_of, losses=st.data(), higher=st.booleans())
def test_the_best_look_is_the_earliest_that_none_beats(values, losses, higher):
    nll = losses.draw(st.lists(st.sampled_from([0.5, 1.0]), min_size=len(values), max_size=len(values)))
    goal = Goal("val/accuracy", higher_is_better=higher, tie="val/nll")
    history = rows(values, nll)
    best = best_step(history, goal)
    chosen = next(row for row in history if row["step"] == best)["values"]
    assert not any(goal.better(row["values"], chosen) for row in history)
    assert all(goal.better(chosen, row["values"]) for row in history if row["step"] < best)
    assert waited(history, goal) == len(history) - best // 10


def test_nothing_was_looked_at():
    assert (best_step([], GOAL), waited([], GOAL)) == (0, 0)


def test_what_is_no_number_is_never_best():
    assert best_step(rows([math.nan, 0.1, math.nan]), GOAL) == 20
    assert best_step(rows([math.nan, math.nan]), GOAL) == 10


@dataclass
class Judged:
    """Looks that are given, beside the real ones; it remembers the weights of each."""

    accuracy: list[float]
    seen: list[dict[str, torch.Tensor]] = field(default_factory=list)

    def __call__(self, model):
        self.seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {**evaluate(model), "val/accuracy": self.accuracy[len(self.seen) - 1], "val/nll": 1.0}


def stage(**values):
    return [Stage(as_sum(HardLabels()), 24, TrainSettings(learning_rate=0.01, evaluations=8, **values))]


@pytest.mark.parametrize("ema", [None, 0.8])
@pytest.mark.parametrize(
    ("patience", "looks", "steps", "kept"),
    [
        (1, [0.5, 0.6, 0.6, 0.9], 9, 6),
        (2, [0.5, 0.6, 0.6, 0.7, 0.1, 0.2, 0.9], 18, 12),
        (3, [0.5, 0.1, 0.2, 0.3], 12, 3),
        (8, [0.5, 0.6, 0.9, 0.1, 0.1, 0.1, 0.1, 0.2], 24, 9),
        (None, [0.5, 0.6, 0.9, 0.1, 0.1, 0.1, 0.1, 0.2], 24, 24),
    ],
)
def test_it_stops_when_patience_is_out_and_keeps_the_best(patience, looks, steps, kept, ema):
    model, judged = conv(), Judged(looks)
    done = run(model, stage(patience=patience, ema=ema), evaluate=judged)
    assert (done.steps, done.kept) == (steps, kept)
    assert [row["step"] for row in done.history] == list(range(3, steps + 1, 3))
    expected = judged.seen[kept // 3 - 1]
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


def test_patience_does_not_change_the_training():
    """Up to where it stops, every look is the same to the last bit."""
    plain = run(conv(), stage(), evaluate=Judged([0.5] * 8)).history
    patient = run(conv(), stage(patience=4), evaluate=Judged([0.5] * 8)).history
    assert patient == plain[:5]


@pytest.mark.parametrize("end", [raises, terminates])
@pytest.mark.parametrize("stop", range(1, 15))
def test_stopped_anywhere_it_stops_early_all_the_same(end, stop, tmp_path):
    looks = [0.5, 0.7, 0.6, 0.65, 0.7]
    first, other = mlp(), mlp()
    straight = run(first, stage(patience=3), evaluate=Judged(looks))
    values = stage(patience=3, checkpoint_seconds=0.0)
    judged = Judged(looks)
    with pytest.raises((Stopped, Interrupted)):
        run(mlp(), values, evaluate=judged, store=tmp_path, source=Stops({stop: end}))
    resumed = run(other, values, evaluate=judged, store=tmp_path)
    assert (resumed.steps, resumed.kept, resumed.history) == (straight.steps, straight.kept, straight.history)
    assert (straight.steps, straight.kept) == (15, 6)
    for name, value in other.state_dict().items():
        assert torch.equal(value, first.state_dict()[name])


def test_a_training_that_stopped_early_is_found_finished(tmp_path):
    values = stage(patience=1, checkpoint_seconds=0.0)
    model, again = mlp(), mlp()
    first = run(model, values, evaluate=Judged([0.5, 0.4]), store=tmp_path)
    second = run(again, values, evaluate=Judged([]), store=tmp_path, source=Stops({0: raises, 6: raises}))
    assert (second.steps, second.kept, second.history) == (6, 3, first.history)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_only_the_last_stage_stops_early():
    """The first one's steps are counted by its schedule, and the second begins where it was to begin."""
    looks = [0.9] + [0.1] * 7 + [0.3, 0.4, 0.3, 0.2]
    done = run(mlp(), [*stage(patience=2), *stage(patience=2)], evaluate=Judged(looks))
    assert (done.steps, done.kept) == (24 + 12, 24 + 6)
