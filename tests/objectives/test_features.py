"""Objectives on activations: what the laws do not say. Faults, dead maps, and what common code does otherwise."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from limbeck import objectives
from limbeck.core.signals import Signals
from limbeck.errors import ModelError, RecipeError
from limbeck.objectives import MGD, AttentionTransfer, ChannelWise, Hint, RKDDistance
from limbeck.objectives.activation_boundaries import activation_boundaries_rows
from limbeck.objectives.attention_transfer import attention_map, attention_transfer_rows
from limbeck.objectives.draws import uniform
from limbeck.objectives.hint import hint_rows
from limbeck.objectives.review import Fusion, hierarchical_rows

from .case import built
from .cases_features import CASES
from .worlds import features_world


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("case", [case for case in CASES if case.learned], ids=lambda case: case.name)
def test_unbuilt_bridges_are_named(case):
    world = case.fresh()
    with pytest.raises(ModelError, match=rf"{case.method} has no bridges yet; call build"):
        case.make()(world.student, world.teacher, world.batch)


@pytest.mark.parametrize("case", [case for case in CASES if case.learned], ids=lambda case: case.name)
def test_unknown_taps_are_named(case):
    with pytest.raises(ModelError, match=rf"{case.method} taps the \w+ at 'tap', but shapes are known at: 'other'"):
        case.make().build({"other": (1,)}, {"other": (1,)})


def test_taps_that_were_not_read_are_named():
    world = features_world((3, 2, 2), (3, 2, 2))(torch.Generator())
    objective = built(Hint("tap", "tap"), world)
    missing = replace(world, teacher=Signals(features={"layer1": drawn(6, 3, 2, 2)}))
    with pytest.raises(
        ModelError, match="hint reads the teacher's activation at 'tap', but the taps read are: 'layer1'"
    ):
        objective(missing.student, missing.teacher, missing.batch)


def test_another_size_than_built_for_is_refused():
    world = features_world((3, 2, 2), (3, 2, 2))(torch.Generator())
    objective = built(Hint("tap", "tap"), world)
    with pytest.raises(ModelError, match="hint compares"):
        objective(world.student, Signals(features={"tap": drawn(6, 3, 4, 4)}), world.batch)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Hint("a", "b", variant="sum"), "variant: 'sum' is none of paper, mean-square"),
        (lambda: AttentionTransfer("a", "b", power=0.5), "power: 0.5"),
        (lambda: MGD("a", "b", ratio=1.0), "ratio: 1.0"),
        (lambda: MGD("a", "b", mask="rows"), "mask: 'rows' is none of pixels, channels"),
        (lambda: objectives.CRD("a", "b", examples=10, constant=0.0), "constant: 0.0"),
        (lambda: objectives.CRD("a", "b", constant=2.0), "constant: it belongs to the paper's critic"),
        (lambda: RKDDistance(variant="mean"), "variant"),
        (lambda: ChannelWise("a", "b", temperature=0.0), "temperature"),
        (lambda: objectives.VID("a", "b", variance=0.0), "variance"),
        (lambda: objectives.FactorTransfer("a", "b", power=3), "power"),
    ],
)
def test_arguments_out_of_range_are_refused(make, said):
    with pytest.raises(RecipeError, match=said):
        make()


def test_positions_are_asked_for_where_they_are_needed():
    with pytest.raises(ModelError, match="channel-wise needs positions"):
        ChannelWise("a", "b").build({"a": (3,)}, {"b": (3,)})
    vectors = features_world((3,), (3,))(torch.Generator())
    with pytest.raises(ModelError, match="attention-transfer: the student's activation has shape"):
        AttentionTransfer("tap", "tap")(vectors.student, vectors.teacher, vectors.batch)


def test_padded_sequences_are_no_pixels():
    world = features_world((9, 2), (4, 2), real=9)(torch.Generator())
    with pytest.raises(ModelError, match="hint: the batch has padding, but 9 tokens were bridged as pixels"):
        built(Hint("tap", "tap"), world)(world.student, world.teacher, world.batch)


def test_dead_maps_have_no_gradient_and_live_beside_others():
    features = drawn(2, 3, 2, 2)
    features[0] = 0
    features.requires_grad_()
    rows = attention_transfer_rows(attention_map(features), attention_map(drawn(2, 3, 2, 2, seed=1)))
    assert rows[0].item() == pytest.approx(1)  # against a map of length 1
    rows.sum().backward()
    assert torch.isfinite(features.grad).all()
    assert not features.grad[0].any()


def test_the_mean_square_of_maps_is_the_squared_norm_over_positions():
    student, teacher = (attention_map(drawn(4, 3, 5, 2, seed=seed)) for seed in (0, 1))
    norm, mean = (attention_transfer_rows(student, teacher, variant) for variant in ("paper", "mean-square"))
    assert torch.allclose(mean, norm**2 / 10)


def test_a_hint_is_half_its_elements_times_the_mean_square():
    student, teacher = drawn(4, 3, 5, 2), drawn(4, 3, 5, 2, seed=1)
    assert torch.allclose(hint_rows(student, teacher), 15 * hint_rows(student, teacher, "mean-square"))


@pytest.mark.parametrize("variant", ["paper", "mean-square"])
def test_a_hint_without_weights_is_that_of_equal_ones(variant):
    world = features_world((3, 2, 4), (3, 2, 4))(torch.Generator())
    objective = built(Hint("tap", "tap", variant), world)
    even, none = (objective(world.student, world.teacher, w.batch)["hint"].item() for w in (
        world.weighed(torch.ones(6, dtype=torch.float64)), world.weighed(None),
    ))  # fmt: skip
    assert none == pytest.approx(even, rel=1e-12)


@pytest.mark.parametrize("real", [None, torch.tensor([[True, True, False], [True, False, False]])])
def test_boundaries_have_the_slope_of_their_formula_twice_over(real):
    teacher = drawn(2, 3, 4, seed=1)
    teacher[0, 0, 0] = 0.0  # is off

    def rows(student):
        return activation_boundaries_rows(student, teacher, 0.5, "mean", real)

    student = drawn(2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(rows, student)
    assert torch.autograd.gradgradcheck(rows, student)
    assert torch.allclose(rows(student), rows(student.detach()))


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (4, 4), (5, 3), (7, 7), (9, 6)])
def test_coarse_means_are_adaptive_averages(size):
    student, teacher = drawn(2, 3, *size), drawn(2, 3, *size, seed=1)
    expected, weight = F.mse_loss(student, teacher, reduction="none").flatten(1).mean(1), 1.0
    for cells in (4, 2, 1):
        if cells < size[0]:
            weight /= 2
            coarse = (F.adaptive_avg_pool2d(side, cells) for side in (student, teacher))
            expected = expected + weight * F.mse_loss(*coarse, reduction="none").flatten(1).mean(1)
    assert torch.allclose(hierarchical_rows(student, teacher), expected / (2 - weight), rtol=1e-12)


@pytest.mark.parametrize("size", [(3, 3), (2, 2)])
def test_a_gate_reads_both_maps_side_by_side(size):
    fusion = Fusion(2, 4, 3, deepest=False).double()
    given, deeper = drawn(5, 2, 3, 3), drawn(5, 4, *size)
    beside = F.interpolate(deeper, size=(3, 3), mode="nearest")
    fused = fusion.enter(given)
    gates = torch.sigmoid(fusion.gate(torch.cat([fused, beside], dim=1)))
    assert torch.allclose(fusion(given, deeper, (3, 3))[1], fused * gates[:, :1] + beside * gates[:, 1:], rtol=1e-12)


def test_draws_are_even_and_depend_on_each_of_seed_example_and_view():
    ids, views = torch.arange(400), torch.zeros(400, dtype=torch.int64)
    plain = uniform(ids, views, 50, 0)
    assert plain.min() >= 0
    assert plain.max() < 1
    assert plain.mean().item() == pytest.approx(0.5, abs=0.01)
    assert plain.var().item() == pytest.approx(1 / 12, abs=0.002)
    others = (uniform(ids, views, 50, 1), uniform(ids, views + 1, 50, 0), uniform(ids + 1000, views, 50, 0))
    for other in others:
        together = torch.stack([plain.flatten(), other.flatten()])
        assert abs(torch.corrcoef(together)[0, 1].item()) < 0.03
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0))
    assert torch.equal(uniform(ids[order], views, 50, 0), plain[order])
    assert torch.equal(uniform(ids[:1] - 2**40, views[:1], 3, 0), uniform(ids[:1] - 2**40, views[:1], 5, 0)[:, :3])


def test_rows_that_are_one_point_have_no_distance_no_angle_and_no_gradient_of_their_own():
    for kind in (RKDDistance, objectives.RKDAngle):
        rows = (100 + drawn(6, 5)).float()
        rows[1] = rows[0]
        rows.requires_grad_()
        kind()(rows, drawn(6, 4, seed=1).float()).backward()
        assert torch.isfinite(rows.grad).all()
        assert rows.grad.abs().max() < 10
