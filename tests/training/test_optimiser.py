"""Learning rates as laws, weight decay groups, and settings that cannot be."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from limbeck.errors import ModelError, RecipeError
from limbeck.students import build
from limbeck.training.optimiser import build_optimiser, learning_rate, set_learning_rate
from limbeck.training.settings import SCHEDULES, TrainSettings
from limbeck.training.sitting import _evenly

steps_of = st.integers(1, 400)


@given(steps=steps_of, warmup=st.floats(0, 0.99), schedule=st.sampled_from(SCHEDULES))
def test_rates_rise_to_the_base_and_never_leave_it(steps, warmup, schedule):
    settings = TrainSettings(learning_rate=0.3, warmup_share=warmup, schedule=schedule)
    rates = [learning_rate(step, steps, settings) for step in range(steps)]
    warm = round(warmup * steps)
    assert all(0 < rate <= 0.3 for rate in rates)
    if schedule != "step" or warmup < 0.5:  # else the first milestone lies in the warm-up
        assert max(rates) == pytest.approx(0.3)
    assert all(a < b for a, b in pairwise(rates[:warm]))
    assert all(a >= b for a, b in pairwise(rates[warm:]))
    if schedule == "constant":
        assert set(rates[warm:]) <= {0.3}


@given(steps=st.integers(2, 400))
def test_cosine_is_the_cosine(steps):
    settings = TrainSettings(learning_rate=2.0, warmup_share=0.0)
    for step in range(steps):
        assert learning_rate(step, steps, settings) == pytest.approx(1 + math.cos(math.pi * step / steps))


@given(steps=st.integers(2, 400), schedule=st.sampled_from(["cosine", "linear"]), final=st.floats(0, 1))
def test_rates_end_where_they_should(steps, schedule, final):
    """After the last step, that is; and half-way they are half-way."""
    settings = TrainSettings(learning_rate=2.0, warmup_share=0.0, schedule=schedule, final_share=final)
    rates = [learning_rate(step, steps, settings) for step in range(steps)]
    assert all(2.0 * final <= rate <= 2.0 for rate in rates)
    assert learning_rate(steps, steps, settings) == pytest.approx(2.0 * final)
    if steps % 2 == 0:
        assert rates[steps // 2] == pytest.approx(1.0 + final)


def torch_rates(make, steps):
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler, rates = make(optimiser), []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("steps", [7, 40])
def test_schedules_are_those_of_torch(steps):
    from torch.optim import lr_scheduler as torch_schedules

    base = {"learning_rate": 2.0, "warmup_share": 0.0}
    pairs = [
        (TrainSettings(**base, schedule="linear", final_share=0.25),
         lambda o: torch_schedules.LinearLR(o, 1.0, 0.25, total_iters=steps)),
        (TrainSettings(**base, final_share=0.25),
         lambda o: torch_schedules.CosineAnnealingLR(o, steps, eta_min=0.5)),
        (TrainSettings(**base, schedule="step", milestones=(0.3, 0.6), step_factor=0.5),
         lambda o: torch_schedules.MultiStepLR(o, [round(0.3 * steps), round(0.6 * steps)], gamma=0.5)),
    ]  # fmt: skip
    for settings, make in pairs:
        ours = [learning_rate(step, steps, settings) for step in range(steps)]
        assert ours == pytest.approx(torch_rates(make, steps))


@given(steps=st.integers(10, 400), factor=st.floats(0.01, 100))
def test_rates_scale_with_the_base(steps, factor):
    one, scaled = TrainSettings(learning_rate=0.1), TrainSettings(learning_rate=0.1 * factor)
    for step in (0, steps // 2, steps - 1):
        expected = factor * learning_rate(step, steps, one)
        assert learning_rate(step, steps, scaled) == pytest.approx(expected)


def test_a_straight_warm_up():
    settings = TrainSettings(learning_rate=1.0, warmup_share=0.1)
    rates = [learning_rate(step, 50, settings) for step in range(6)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_weight_decay_leaves_vectors_alone():
    net = build({"family": "convnet", "width": 4, "depth": 2}, inputs=(1, 8, 8), outputs=10)
    optimiser = build_optimiser([net], TrainSettings(weight_decay=0.3))
    decayed, spared = optimiser.param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.3, 0.0)
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    kept = {names[id(p)] for p in spared["params"]}
    assert {names[id(p)] for p in decayed["params"]} | kept == set(names.values())
    norms = [name for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert kept == {f"{norm}.{part}" for norm in norms for part in ("weight", "bias")} | {"head.bias"}


@pytest.mark.parametrize(("optimiser", "kind"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_decay_moves_what_has_no_gradient(optimiser, kind):
    """Decoupled for adamw; for both, `rate * decay` of the weight where the gradient is 0."""
    net = nn.Linear(3, 2)
    before = net.weight.detach().clone(), net.bias.detach().clone()
    made = build_optimiser([net], TrainSettings(optimiser=optimiser, momentum=0.0, learning_rate=0.1, weight_decay=0.5))
    assert isinstance(made, kind)
    net.weight.grad, net.bias.grad = torch.zeros_like(net.weight), torch.zeros_like(net.bias)
    made.step()
    assert torch.allclose(net.weight, before[0] * (1 - 0.1 * 0.5))
    assert torch.equal(net.bias, before[1])


def test_frozen_parameters_are_left_out_and_bridges_taken_in():
    net, bridge = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)), nn.Linear(2, 2, bias=False)
    net[0].requires_grad_(requires_grad=False)
    groups = build_optimiser([net, bridge], TrainSettings()).param_groups
    found = [p for group in groups for p in group["params"]]
    assert [id(p) for p in found] == [id(net[1].weight), id(bridge.weight), id(net[1].bias)]


def test_nothing_to_train():
    with pytest.raises(ModelError, match="nothing to train"):
        build_optimiser([nn.ReLU()], TrainSettings())


def test_every_group_gets_the_rate():
    optimiser = build_optimiser([nn.Linear(2, 2)], TrainSettings())
    set_learning_rate(optimiser, 0.125)
    assert [group["lr"] for group in optimiser.param_groups] == [0.125, 0.125]


@given(steps=steps_of, times=st.integers(1, 500))
def test_looks_are_even_and_the_last_step_is_one(steps, times):
    at = sorted(_evenly(steps, times))
    assert at[-1] == steps
    assert at[0] >= 1
    assert len(at) == min(steps, times)
    gaps = [b - a for a, b in pairwise([0, *at])]
    assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("optimiser", "adam"),
        ("schedule", "stairs"),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("weight_decay", -0.1),
        ("momentum", 1.0),
        ("warmup_share", 1.0),
        ("clip_norm", 0.0),
        ("final_share", 1.1),
        ("milestones", ()),
        ("milestones", (0.5, 0.5)),
        ("milestones", (0.5, 1.0)),
        ("step_factor", 1.0),
        ("accumulate", 0),
        ("ema", 1.0),
        ("ema", 0.0),
        ("patience", 0),
        ("evaluations", 0),
        ("checkpoint_seconds", -1.0),
    ],
)
def test_settings_that_cannot_be(setting, value):
    with pytest.raises(RecipeError, match=f"train: {setting} must be"):
        TrainSettings(**{setting: value})


def test_every_wrong_setting_is_named():
    with pytest.raises(RecipeError, match=r"learning_rate.*; momentum"):
        TrainSettings(learning_rate=-1.0, momentum=2.0)


def test_how_often_it_is_saved_does_not_change_the_identity():
    one = TrainSettings(evaluations=3, checkpoint_seconds=0.0).as_dict()
    assert one == TrainSettings().as_dict()
    assert TrainSettings(learning_rate=0.1).as_dict() != TrainSettings().as_dict()


def test_every_option_changes_the_identity():
    """And where early stopping counts the looks, so does their number."""
    others = [
        {"schedule": "linear"}, {"final_share": 0.1}, {"milestones": (0.9,)}, {"step_factor": 0.5}, {"accumulate": 2},
        {"ema": 0.9}, {"patience": 3}, {"patience": 3, "evaluations": 10}, {"compile": True}, {"clip_norm": 1.0},
    ]  # fmt: skip
    found = [str(TrainSettings(**values).as_dict()) for values in [{}, *others]]
    assert len(set(found)) == len(found)
