"""Other toolkits' losses: the same number and the same slope as their formulas, written out as they write them."""

from math import isfinite

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from limbeck import recipe
from limbeck.errors import RecipeError
from limbeck.objectives import (
    METHODS,
    SCHEDULES,
    Decay,
    First,
    HardLabels,
    Late,
    Rise,
    SoftTargets,
    WeightedSum,
    as_sum,
    convert,
)
from limbeck.recipe.settings import settings_model
from limbeck.runs.named import load_named

from .harness import CASES
from .worlds import CLASSES, logits_world


@pytest.fixture
def world():
    return logits_world(torch.Generator().manual_seed(2)).weighed(None)


def total(objective, world, student):
    signals = type(world.student)(student)
    return torch.stack(list(objective(signals, world.teacher, world.batch).values())).sum()


def assert_the_same(objective, theirs, world, close=1e-12):
    """Value and slope; `theirs` takes student logits, teacher logits and labels."""
    found = []
    for loss in (lambda s: total(objective, world, s), lambda s: theirs(s, world.teacher.logits, world.batch.target)):
        student = world.student.logits.clone().requires_grad_()
        value = loss(student)
        found.append((value.detach(), torch.autograd.grad(value, student)[0]))
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-6)
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-6, atol=close)


def sum_over_numel(s, t, tau):
    """What DeiT divides by counts every logit, not every row."""
    parts = F.kl_div(F.log_softmax(s / tau, 1), F.log_softmax(t / tau, 1), reduction="none", log_target=True)
    return parts.sum() * tau * tau / s.numel()


@pytest.mark.parametrize(("alpha", "tau", "smoothing"), [(0.5, 3.0, 0.1), (0.1, 1.0, 0.0)])
def test_deit_soft(alpha, tau, smoothing, world):
    def theirs(s, t, y):
        base = F.cross_entropy(s, y, label_smoothing=smoothing)
        return base * (1 - alpha) + sum_over_numel(s, t, tau) * alpha

    assert_the_same(convert.from_deit(alpha=alpha, tau=tau, classes=CLASSES, smoothing=smoothing), theirs, world)


def test_deit_hard(world):
    def theirs(s, t, y):
        base = F.cross_entropy(s, y, label_smoothing=0.1)
        return base * (1 - 0.3) + F.cross_entropy(s, t.argmax(1)) * 0.3

    assert_the_same(convert.from_deit(alpha=0.3, classes=CLASSES, kind="hard"), theirs, world)


@pytest.mark.parametrize("weight", [0.5, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "batchmean"])
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_modelopt(reduction, weight, world):
    def theirs(s, t, y):
        kd = F.kl_div(F.log_softmax(s / 2.5, -1), F.softmax(t / 2.5, -1), reduction=reduction) * 2.5**2
        return kd * weight + (1 - weight) * F.cross_entropy(s, y)

    given = convert.from_modelopt(kd_loss_weight=weight, temperature=2.5, classes=CLASSES, reduction=reduction)
    assert given.needs().labels == (weight < 1)
    assert_the_same(given, theirs, world)


def standardised(logits):
    return (logits - logits.mean(-1, keepdim=True)) / (1e-7 + logits.std(-1, keepdim=True))


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("alpha", "beta"), [(None, 1.0), (0, None), (0.3, None), (0.5, 9.0)])
@pytest.mark.parametrize("reduction", ["mean", "batchmean"])
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_torchdistill(alpha, beta, reduction, standardize, world):
    t_ = 4.0

    def theirs(s, t, y):
        a, b = (standardised(s), standardised(t)) if standardize else (s, t)
        soft = F.kl_div(torch.log_softmax(a / t_, 1), torch.softmax(b / t_, 1), reduction=reduction)
        if not alpha:
            return soft
        return alpha * F.cross_entropy(s, y) + (1 - alpha if beta is None else beta) * t_**2 * soft

    given = convert.from_torchdistill(
        temperature=t_, alpha=alpha, beta=beta, reduction=reduction, standardize=standardize, classes=CLASSES
    )
    assert_the_same(given, theirs, world, close=1e-6 if standardize else 1e-12)  # of their 1e-7 beside the deviation


def test_mdistiller(world):
    def theirs(s, t, y):
        kd = F.kl_div(F.log_softmax(s / 4.0, 1), F.softmax(t / 4.0, 1), reduction="none").sum(1).mean() * 4.0**2
        return 0.1 * F.cross_entropy(s, y) + 0.9 * kd

    assert_the_same(convert.from_mdistiller(), theirs, world)


def test_mdistiller_dkd(world):
    def theirs(s, t, y):
        true = F.one_hot(y, CLASSES).bool()
        q, p = (F.softmax(side / 2.0, 1) for side in (s, t))
        q2, p2 = (torch.stack([(side * true).sum(1), (side * ~true).sum(1)], 1) for side in (q, p))
        target = F.kl_div(q2.log(), p2, reduction="sum") * 2.0**2 / len(y)
        far = 1000.0 * true
        others = F.kl_div(F.log_softmax(s / 2.0 - far, 1), F.softmax(t / 2.0 - far, 1), reduction="sum")
        return 1.5 * F.cross_entropy(s, y) + 0.5 * target + 3.0 * others * 2.0**2 / len(y)

    constant = convert.from_mdistiller_dkd(ce_weight=1.5, alpha=0.5, beta=3.0, temperature=2.0, warmup=0)
    assert_the_same(constant, theirs, world)


def test_mdistiller_dkd_rises_over_its_warm_up():
    """Theirs by epochs, `min(epoch / warmup, 1)`; ours has that value where an epoch ends."""
    _, (rise, _) = convert.from_mdistiller_dkd(warmup=20, epochs=240).weighted_parts()
    for epoch in (1, 5, 19, 20, 21, 239):
        assert rise.at(epoch / 240) == pytest.approx(min(epoch / 20, 1.0))


@pytest.mark.parametrize(
    ("call", "about"),
    [
        (lambda: convert.from_deit(alpha=1.5, classes=10), "alpha"),
        (lambda: convert.from_deit(classes=1), "classes"),
        (lambda: convert.from_deit(classes=10, kind="none"), "kind"),
        (lambda: convert.from_modelopt(kd_loss_weight=-0.1, classes=10), "kd_loss_weight"),
        (lambda: convert.from_modelopt(classes=10, reduction="sum"), "reduction"),
        (lambda: convert.from_torchdistill(temperature=0.0), "temperature"),
        (lambda: convert.from_torchdistill(temperature=2.0, alpha=0, standardize=True), "classes"),
        (lambda: convert.from_torchdistill(temperature=2.0), "alpha: without alpha and beta"),
        (lambda: convert.from_mdistiller_dkd(warmup=20, epochs=10), "warmup: 20"),
        (lambda: convert.from_mdistiller_at([("a", "b")], p=3), "p: 3"),
        (lambda: convert.from_mdistiller_at([]), "pairs"),
        (lambda: convert.from_mdistiller_reviewkd(("a", "b"), ("a", "b"), reviewkd_weight=-1), "weight"),
        (lambda: convert.from_mdistiller_vid([("a", "b")], init_pred_var=0), "init_pred_var"),
        (lambda: convert.from_modelopt_mgd("a", "b", elements=0), "elements"),
        (lambda: convert.from_torchdistill_rkd("a", "b", dist_factor=1, angle_factor=1, reduction="sum"), "reduction"),
        (lambda: convert.from_torchdistill_ft("a", "b", reduction="sum"), "reduction"),
        (lambda: convert.from_torchdistill_ab([("a", "b", 1.0)], margin=1.0, reduction="sum"), "reduction"),
        (lambda: convert.from_torchdistill_at([("a", "b", -1.0)]), "AttentionTransfer"),
        (lambda: convert.from_torchdistill(temperature=2.0, alpha=2.0), "SoftTargets"),
        (lambda: convert.from_mdistiller(ce_weight=-1.0), "HardLabels"),
        (lambda: convert.from_mdistiller_dkd(beta=-1.0), "beta"),
    ],
)
def test_what_cannot_be_is_refused(call, about):
    with pytest.raises(RecipeError, match=about):
        call()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_objective_is_a_recipe_and_back(case):
    (term,) = convert.as_recipe(case.make())
    assert (term.pop("method"), term.pop("weight")) == (case.method, 1)
    assert str(load_named(METHODS, case.method, term)) == str(case.make())


def test_a_method_without_settings_is_a_recipe():
    for method in ("margin-mse", "gradient-attention"):
        assert not settings_model(METHODS[method]).model_fields


def test_schedules_are_a_recipe_and_back():
    for weight in (0.25, Decay(1.0, 0.5), First(2.0, 0.4, 0.1), Late(0.5, 0.2), Rise(0.5, 0.2)):
        both = WeightedSum([(1.0, SoftTargets()), (weight, HardLabels())])
        _, term = convert.as_recipe(both)
        kind = {"kind": "constant", "value": term["weight"]} if weight == 0.25 else term["weight"]
        made = load_named(SCHEDULES, kind.pop("kind"), kind)
        assert str(made) == str(as_sum(both).schedules[1])


@pytest.mark.parametrize(
    "given",
    [
        convert.from_deit(alpha=0.5, tau=3.0, classes=1000),
        convert.from_modelopt(classes=10),
        convert.from_torchdistill(temperature=2.0, alpha=0.5, standardize=True, classes=10),
        convert.from_mdistiller(),
        convert.from_mdistiller_dkd(),
        convert.from_modelopt_mgd("a", "b", elements=100),
        convert.from_torchdistill_at([("a", "b", 2.0), ("c", "d", 1.0)]),
        convert.from_torchdistill_rkd("a", "b", dist_factor=1.0, angle_factor=2.0),
        convert.from_torchdistill_vid([("a", "b", 2.0)]),
        convert.from_torchdistill_ft("a", "b", p=2),
        convert.from_torchdistill_dist(beta=2.0),
        convert.from_torchdistill_crd("a", "b", input_size=8, num_negative_samples=9, num_samples=100),
        convert.from_torchdistill_review(("a", "b"), ("c", "d"), mid_channel=64),
        convert.from_mdistiller_vid([("a", "b")]),
        convert.from_mdistiller_crd("a", "b", num_data=1000),
        convert.from_mdistiller_reviewkd(("a", "b"), ("c", "d")),
    ],
    ids=str,
)
def test_a_converted_loss_is_a_recipe(given):
    values = {"data": {"train": "photos"}, "teacher": "net.py:net", "objective": convert.as_recipe(given)}
    parts = [
        (load_named(SCHEDULES, term.weight.kind, term.weight.settings), load_named(METHODS, term.method, term.settings))
        for term in recipe.from_mapping(values).objective
    ]
    assert str(WeightedSum(parts)) == str(given)


CRDS = {
    "torchdistill": lambda input_size=8, temperature=0.07, num_samples=100: convert.from_torchdistill_crd(
        "a", "b", input_size=input_size, num_negative_samples=9, num_samples=num_samples, temperature=temperature
    ),
    "mdistiller": lambda input_size=8, temperature=0.07, num_samples=100: convert.from_mdistiller_crd(
        "a", "b", feat_dim=input_size, num_data=num_samples, temperature=temperature
    ),
}


@pytest.mark.parametrize("crd", CRDS.values(), ids=CRDS)
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"input_size": 0}, "width of the embeddings: 0"),
        ({"input_size": -4}, "width of the embeddings: -4"),
        ({"num_samples": 0}, "number of examples: 0"),
        ({"temperature": 0}, "temperature: 0 is not a positive number"),
        ({"temperature": -0.07}, "temperature: -0.07 is not a positive number"),
        ({"temperature": float("nan")}, "temperature: nan is not a positive number"),
        ({"temperature": "auto"}, "temperature: 'auto'"),
        ({"temperature": 0.01, "input_size": 4}, "temperature: 0.01 makes .* infinite; take a larger one"),
        ({"temperature": 1e-200}, "temperature: 1e-200 makes .* infinite"),
        ({"temperature": 5e-324}, "temperature: 5e-324 makes .* infinite"),
    ],
)
def test_a_contrast_out_of_range_is_refused_in_words(crd, values, words):
    with pytest.raises(RecipeError, match=words):
        crd(**values)


@pytest.mark.parametrize("crd", CRDS.values(), ids=CRDS)
def test_the_largest_constants_are_finite(crd):
    """`e^(1 / (2 x 8 x t^2))` of 709 in the exponent is about the largest number there is."""
    assert isfinite(crd(temperature=(1 / (16 * 700)) ** 0.5).parts[-1].constant)
    with pytest.raises(RecipeError, match="infinite"):
        crd(temperature=(1 / (16 * 709)) ** 0.5)


def test_what_no_recipe_can_name():
    class Mine(SoftTargets):
        pass

    with pytest.raises(RecipeError, match="Mine is no method"):
        convert.as_recipe(Mine())
