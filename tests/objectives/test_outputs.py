"""Objectives on outputs beyond the laws that all keep: limits, bounds, equivalences, faults, torchdistill's numbers."""

from dataclasses import replace
from math import log

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Mix
from limbeck.core.signals import Signals, TopK
from limbeck.errors import ModelError, RecipeError
from limbeck.objectives import (
    CWTM,
    DIST,
    DKD,
    DKPP,
    BinaryLabels,
    BinaryTargets,
    BoundedRegression,
    Embedding,
    HardLabels,
    JensenShannon,
    LogitMSE,
    MarginMSE,
    RegressionLabels,
    RegressionTargets,
    ReverseKL,
    SkewKL,
    SoftTargets,
)
from limbeck.objectives.binary_labels import binary_cross_entropy_rows
from limbeck.objectives.bounded_regression import bounded_regression_rows
from limbeck.objectives.dist import correlation_distances
from limbeck.objectives.dkd import dkd_rows
from limbeck.objectives.dkpp import permuted
from limbeck.objectives.hard_labels import cross_entropy_rows
from limbeck.objectives.jensen_shannon import jensen_shannon_rows
from limbeck.objectives.reverse_kl import reverse_kl_rows
from limbeck.objectives.skew_kl import skew_kl_rows
from limbeck.objectives.soft_targets import soft_targets_rows
from limbeck.objectives.tempered import FLOOR, log_mixture, standardized

from .worlds import CLASSES, ROWS, half_labelled_world, logits_world, mixed_world
from .worlds_outputs import half_values_world, half_yes_or_no_world, values_world


@pytest.fixture
def world():
    return logits_world(torch.Generator().manual_seed(1))


@pytest.fixture
def logits(world):
    return world.student.logits, world.teacher.logits


def slope(function, student):
    leaf = student.clone().requires_grad_()
    return torch.autograd.grad(function(leaf), leaf)[0]


# Divergences


def test_the_student_first_is_the_reverse(logits):
    student, teacher = logits
    assert torch.allclose(reverse_kl_rows(student, teacher, 2.0), soft_targets_rows(teacher, student, 2.0))


def test_near_equality_forward_and_reverse_are_one(logits):
    """Both are half of Fisher's quadratic form; Jensen-Shannon beta (1 - beta) of it."""
    _, teacher = logits
    near = teacher + 1e-4 * torch.linspace(-1, 1, CLASSES, dtype=torch.float64) ** 3
    forward = soft_targets_rows(near, teacher, 1.0)
    assert torch.allclose(reverse_kl_rows(near, teacher, 1.0), forward, rtol=1e-3)
    for beta in (0.1, 0.5):
        between = jensen_shannon_rows(near, teacher, beta, 1.0)
        assert torch.allclose(between, beta * (1 - beta) * forward, rtol=1e-3)
    for reverse in (False, True):
        skewed = skew_kl_rows(near, teacher, 0.3, 1.0, reverse=reverse)
        assert torch.allclose(skewed, 0.7**2 * forward, rtol=1e-3)


def test_jensen_shannon_tends_to_both(logits):
    student, teacher = logits
    forward, reverse = soft_targets_rows(student, teacher, 1.0), reverse_kl_rows(student, teacher, 1.0)
    assert torch.allclose(jensen_shannon_rows(student, teacher, 1e-7, 1.0) / 1e-7, forward, rtol=1e-3)
    assert torch.allclose(jensen_shannon_rows(student, teacher, 1 - 1e-7, 1.0) / 1e-7, reverse, rtol=1e-3)


def test_half_is_symmetric(logits):
    student, teacher = logits
    turned = jensen_shannon_rows(teacher, student, 0.5, 2.0)
    assert torch.allclose(jensen_shannon_rows(student, teacher, 0.5, 2.0), turned, rtol=1e-12)
    turned = jensen_shannon_rows(teacher, student, 0.7, 2.0)
    assert torch.allclose(jensen_shannon_rows(student, teacher, 0.3, 2.0), turned, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_bounded_reaches_its_bound_with_a_finite_slope(dtype):
    far = torch.tensor([[0.0, 500.0]], dtype=dtype)
    for share in (0.1, 0.5, 0.9):
        bound = -share * log(share) - (1 - share) * log(1 - share)
        assert jensen_shannon_rows(far, far.flip(1), share, 1.0).item() == pytest.approx(bound, rel=1e-6)
        assert skew_kl_rows(far, far.flip(1), share, 1.0).item() == pytest.approx(-log(share), rel=1e-6)
        assert skew_kl_rows(far, far.flip(1), share, 1.0, reverse=True).item() == pytest.approx(-log(share), rel=1e-6)
        assert slope(lambda s, a=share: jensen_shannon_rows(s, far.flip(1), a, 1.0).sum(), far).isfinite().all()


def test_without_a_share_skewed_is_plain(logits):
    student, teacher = logits
    assert torch.equal(skew_kl_rows(student, teacher, 0.0, 3.0), soft_targets_rows(student, teacher, 3.0))
    assert torch.equal(skew_kl_rows(student, teacher, 0.0, 3.0, reverse=True), reverse_kl_rows(student, teacher, 3.0))


def test_a_mixture_is_the_mixture(logits):
    log_p, log_q = (torch.log_softmax(side, 1) for side in logits)
    mixed = torch.log(0.3 * log_p.exp() + 0.7 * log_q.exp())
    assert torch.allclose(log_mixture(log_p, log_q, 0.3), mixed, rtol=1e-12)
    assert torch.equal(log_mixture(log_p, log_p, 0.3), log_p)


def test_a_mixture_has_one_slope_where_its_halves_meet():
    log_q = torch.log_softmax(torch.randn(2, 4, dtype=torch.float64), 1)
    ours = slope(lambda log_p: log_mixture(log_p, log_q, 0.2).sum(), log_q)
    assert torch.allclose(ours, torch.full_like(log_q, 0.2), rtol=1e-12)


# Standardised and matched logits


def test_standardised_logits_have_mean_0_and_deviation_1(logits):
    z = standardized(logits[0])
    assert torch.allclose(z.mean(1), torch.zeros(ROWS, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(z.std(1, correction=0), torch.ones(ROWS, dtype=torch.float64))
    assert torch.allclose(z, standardized(7 * logits[0] - 3))


def test_a_constant_row_standardises_to_zeros_with_a_finite_slope():
    """A head that starts at zero gives one."""
    for size in (0.0, 1e-30, 1e-8, FLOOR / 10):
        row = size * torch.tensor([[1.0, -1.0, 0.5]])
        gradient = slope(lambda s: (standardized(s) * torch.tensor([1.0, 2.0, 4.0])).sum(), row)
        assert standardized(row).abs().max() < 0.12
        assert gradient.isfinite().all()
        assert gradient.abs().max() < 3 / FLOOR
    teacher = torch.tensor([[1.0, 2.0, 3.0]])
    for objective in (SoftTargets(standardize=True), ReverseKL(standardize=True), LogitMSE(standardize=True)):
        gradient = slope(lambda s, o=objective: o(s, teacher), torch.zeros(1, 3))
        assert gradient.isfinite().all()
        assert gradient.any()


def test_standardised_needs_all_logits(world):
    top = Signals(top=TopK(torch.zeros(ROWS, 1).long(), torch.zeros(ROWS, 1), (2.0,), torch.zeros(ROWS, 1)))
    with pytest.raises(ModelError, match="standardised logits needs all logits"):
        SoftTargets(standardize=True)(world.student, top, world.batch)


def test_hot_soft_targets_are_centred_logits_over_the_classes(logits):
    hot = SoftTargets(temperature=1e4)(*logits).item()
    assert hot == pytest.approx(LogitMSE(centre=True)(*logits).item() / CLASSES, rel=1e-3)


def test_the_mean_of_squares_is_torchs(logits):
    assert LogitMSE(scale="mean")(*logits).item() == pytest.approx(F.mse_loss(*logits).item())
    assert LogitMSE(scale="mean")(*logits).item() == pytest.approx(LogitMSE()(*logits).item() * 2 / CLASSES)


# DKD and DIST


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_parts_make_up_soft_targets(temperature, world, logits):
    """Equation 6: KD = TCKD + (1 - p) NCKD."""
    student, teacher = logits
    target, others = dkd_rows(student, teacher, world.batch.target, temperature)
    p = torch.softmax(teacher / temperature, 1).gather(1, world.batch.target[:, None]).squeeze(1)
    assert torch.allclose(target + (1 - p) * others, soft_targets_rows(student, teacher, temperature))


def test_dkd_of_two_classes_is_refused(world):
    two = [Signals(side.logits[:, :2]) for side in (world.student, world.teacher)]
    with pytest.raises(ModelError, match=r"at least three classes, there are 2.*use that"):
        DKD()(*two, world.batch)
    with pytest.raises(ModelError, match="there are 2"):
        (0.5 * HardLabels() + 0.5 * DKD()).check_outputs(2)
    DKD().check_outputs(3)


def test_a_label_that_is_certain_stays_finite(world):
    """Where the reference implementation takes the logarithm of a probability that rounds to 0."""
    student, teacher = (side.logits.float() * 200 for side in (world.student, world.teacher))
    terms = DKD(temperature=1.0)(Signals(student), Signals(teacher), world.batch)
    assert all(term.isfinite() for term in terms.values())


# Controls of born-again networks


def test_a_teacher_equally_sure_of_all_leaves_hard_labels(world):
    sure = Signals(torch.roll(world.teacher.logits[:1], 1, 1).repeat(ROWS, 1))
    weighed = CWTM()(world.student, sure, world.batch)["cwtm"]
    assert torch.allclose(weighed, HardLabels()(world.student, None, world.batch)["hard-labels"])


def test_of_the_teacher_only_its_largest_probability_counts(world):
    """Which class that is does not matter, nor how the rest is spread."""
    p = torch.softmax(world.teacher.logits, 1).amax(1, keepdim=True)
    rest = (1 - p) / (CLASSES - 1)
    spread = Signals(torch.cat([rest.expand(-1, CLASSES - 1), p], 1).log())
    plain = CWTM()(world.student, world.teacher, world.batch)["cwtm"]
    assert torch.allclose(CWTM()(world.student, spread, world.batch)["cwtm"], plain)


def test_a_row_counts_as_much_as_the_teacher_is_sure(world):
    unsure = world.teacher.logits.clone()
    unsure[0] = 0
    leaf = world.student.logits.clone().requires_grad_()
    shares = []
    for said in (world.teacher.logits, unsure):
        value = CWTM()(Signals(leaf), Signals(said), world.batch)["cwtm"]
        shares.append(torch.autograd.grad(value, leaf)[0][0].abs().sum())
    assert shares[1] < shares[0]


def test_permuted_is_a_permutation_that_keeps_the_top(world):
    dealt = permuted(world.teacher.logits, world.batch.ids, world.batch.views, 0)
    assert torch.equal(dealt.sort(1).values, world.teacher.logits.sort(1).values)
    assert torch.equal(dealt.argmax(1), world.teacher.logits.argmax(1))
    assert not torch.equal(dealt, world.teacher.logits)


def test_the_permutation_follows_example_view_and_seed_alone(world):
    logits, ids, views = world.teacher.logits, world.batch.ids, world.batch.views
    dealt = permuted(logits, ids, views, 0)
    assert torch.equal(permuted(logits[3:4], ids[3:4], views[3:4], 0), dealt[3:4])
    for other in (permuted(logits, ids + 100, views, 0), permuted(logits, ids, views + 1, 0)):
        assert not torch.equal(other, dealt)
    assert not torch.equal(permuted(logits, ids, views, 1), dealt)


def test_every_order_of_the_others_is_equally_likely():
    count = 6000
    row = torch.tensor([[0.0, 9.0, 1.0, 2.0]]).repeat(count, 1)
    dealt = permuted(row, torch.arange(count) * 7919, torch.zeros(count, dtype=torch.int64), 0)
    _, seen = dealt.unique(dim=0, return_counts=True)
    assert len(seen) == 6
    assert (seen - count / 6).square().sum() / (count / 6) < 20.5  # chi-squared of 5 degrees, one in a thousand


def test_a_teacher_even_on_the_others_is_soft_targets(world):
    even = torch.zeros(ROWS, CLASSES, dtype=torch.float64)
    even[torch.arange(ROWS), world.batch.target] = 3.0
    soft = SoftTargets(2.0)(world.student, Signals(even), world.batch)["soft-targets"]
    assert torch.equal(DKPP(2.0)(world.student, Signals(even), world.batch)["dkpp"], soft)


def test_two_classes_leave_nothing_to_permute():
    DKPP().check_outputs(3)
    with pytest.raises(ModelError, match=r"there are 2.*use that"):
        DKPP().check_outputs(2)


def test_permuting_needs_to_know_the_examples(logits):
    with pytest.raises(TypeError, match="example and view"):
        DKPP()(*logits)


@pytest.mark.parametrize("objective", [DKD(), BoundedRegression(), CWTM()])
def test_two_tensors_hold_no_labels(objective, logits):
    with pytest.raises(TypeError, match="labels"):
        objective(*logits)


@pytest.mark.parametrize("objective", [DKD(), BinaryLabels(), RegressionLabels(), BoundedRegression()])
def test_mixed_views_have_no_one_label(objective):
    world = mixed_world(torch.Generator().manual_seed(0))
    assert isinstance(world.batch.mix, Mix)
    with pytest.raises(ModelError, match="mix two examples"):
        objective(world.student, world.teacher, world.batch)


@pytest.mark.parametrize(
    ("objective", "build"),
    [(DKD(), half_labelled_world), (RegressionLabels(), half_values_world), (BoundedRegression(), half_values_world)],
)
def test_unlabelled_rows_are_as_if_they_were_not_there(objective, build):
    world = build(torch.Generator().manual_seed(3))
    known = world.take(world.batch.target_mask)
    for name, term in objective(world.student, world.teacher, world.batch).items():
        assert term.item() == pytest.approx(objective(known.student, known.teacher, known.batch)[name].item())


def test_correlation_is_numpys(logits):
    rows = correlation_distances(*logits)
    for row, s, t in zip(rows, *logits, strict=True):
        assert row.item() == pytest.approx(1 - torch.corrcoef(torch.stack([s, t]))[0, 1].item())


def test_correlation_lies_between_0_and_2(logits):
    student, _ = logits
    assert torch.equal(correlation_distances(student, student), torch.zeros(ROWS, dtype=torch.float64))
    assert torch.allclose(correlation_distances(-student, student), torch.full((ROWS,), 2.0, dtype=torch.float64))
    assert torch.allclose(correlation_distances(4 * student + 9, student), torch.zeros(1, dtype=torch.float64))


@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 0.0, 0.5, 2.0], dtype=torch.float64)])
def test_correlations_have_the_slope_of_their_formula_twice_over(weight):
    """Rows that vary, and rows that are as good as constant."""
    random = torch.Generator().manual_seed(0)
    varied, other = (torch.rand(2, 4, generator=random, dtype=torch.float64) for _ in range(2))
    rows = torch.cat([varied, 0.3 + 1e-5 * varied]).requires_grad_()
    others = torch.cat([other, other])

    def distances(rows):
        return correlation_distances(rows, others, weight)

    assert torch.autograd.gradcheck(distances, rows, eps=1e-9, atol=1e-4)
    assert torch.autograd.gradgradcheck(distances, rows)


def test_constant_entries_have_no_correlation_and_a_finite_slope():
    constant, other = torch.full((1, 4), 0.1), torch.tensor([[0.1, 0.7, 0.1, 0.1]])
    assert correlation_distances(constant, constant).item() == 0
    assert correlation_distances(constant, other).item() == pytest.approx(0.5, abs=1e-3)
    assert slope(lambda s: correlation_distances(s, other).sum(), constant).isfinite().all()
    gradient = slope(lambda s: DIST()(s, torch.randn(8, 4)), torch.zeros(8, 4))
    assert gradient.isfinite().all()
    assert gradient.abs().max() < 1e4


def test_a_row_alone_has_no_relation_to_others(logits):
    alone = DIST(beta=0.0)(logits[0][:1], logits[1][:1])
    assert alone.item() == 0


# Labels one by one


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_one_logit_is_two_classes(temperature, logits):
    """sigmoid(z) is the softmax of (0, z), so values and slopes are those of soft targets and hard labels."""
    student, teacher = (side[:, :1] for side in logits)

    def two(z):
        return torch.cat([torch.zeros_like(z), z], dim=1)

    ours = BinaryTargets(temperature)(student, teacher)
    assert ours.item() == pytest.approx(SoftTargets(temperature)(two(student), two(teacher)).item())
    assert torch.allclose(
        slope(lambda s: BinaryTargets(temperature)(s, teacher), student),
        slope(lambda s: SoftTargets(temperature)(two(s), two(teacher)), student),
    )
    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    for smoothing in (0.0, 0.2):
        rows = binary_cross_entropy_rows(student, labels[:, None], smoothing)
        assert torch.allclose(rows, cross_entropy_rows(two(student), labels, smoothing))


def test_labels_are_learned_one_by_one(logits):
    student, teacher = logits
    each = [BinaryTargets(2.0)(student[:, [c]], teacher[:, [c]]) for c in range(CLASSES)]
    assert BinaryTargets(2.0)(student, teacher).item() == pytest.approx(sum(each).item())
    assert BinaryTargets(2.0, "mean")(student, teacher).item() == pytest.approx(sum(each).item() / CLASSES)


@pytest.mark.parametrize("kind", [torch.int64, torch.uint8, torch.bool, torch.float32])
def test_labels_of_any_type(kind):
    world = half_yes_or_no_world(torch.Generator().manual_seed(0))
    target = world.batch.target.nan_to_num().to(kind)
    for objective in (BinaryLabels(), RegressionLabels(), BoundedRegression()):
        expected = objective(world.student, world.teacher, world.batch)
        found = objective(world.student, world.teacher, replace(world.batch, target=target))
        assert [term.item() for term in found.values()] == [term.item() for term in expected.values()]


def test_far_out_it_stays_finite():
    far = torch.tensor([[1e4, -1e4]])
    for objective in (BinaryTargets(), BinaryLabels()):
        other = -far if isinstance(objective, BinaryTargets) else torch.tensor([[0.0, 1.0]])
        assert objective(far, other).item() == pytest.approx(2e4, rel=1e-6)


# Values, embeddings, margins


def test_huber_is_half_the_square_at_first_and_straight_beyond():
    student = torch.tensor([[0.3], [5.0]], dtype=torch.float64)
    half = RegressionTargets("squared")(student[:1], torch.zeros(1, 1)).item() / 2
    assert RegressionTargets("huber")(student[:1], torch.zeros(1, 1)).item() == pytest.approx(half)
    huber = RegressionTargets("huber", delta=2.0)
    assert slope(lambda s: huber(s, torch.zeros(1, 1)), student[1:]).item() == pytest.approx(2.0)


def test_a_student_beyond_the_bound_learns_nothing_more():
    truth, teacher = torch.zeros(3, 2), torch.full((3, 2), 1.0)
    student = torch.tensor([[0.5, 0.5], [1.0, 1.0], [2.0, 0.0]])
    assert bounded_regression_rows(student, teacher, truth).tolist() == [0, 0, 4]
    assert bounded_regression_rows(student, teacher, truth, margin=2.0).tolist() == [0.5, 2, 4]


def test_a_bound_that_is_nan_is_not_passed():
    nan, fine = torch.tensor([[float("nan")]]), torch.tensor([[1.0]])
    assert bounded_regression_rows(fine, nan, fine).isnan().all()
    assert bounded_regression_rows(nan, fine, fine).isnan().all()


def test_cosine_is_torchs(logits):
    ours = Embedding()(*logits).item()
    assert ours == pytest.approx(1 - F.cosine_similarity(*logits).mean().item())
    both_ways = (Embedding()(logits[0], -logits[0]).item(), Embedding()(torch.zeros(1, 3), torch.ones(1, 3)).item())
    assert both_ways == pytest.approx((2, 0.5))
    assert slope(lambda s: Embedding()(s, torch.ones(1, 3)), torch.zeros(1, 3)).isfinite().all()


def test_a_squared_distance_of_directions_is_twice_the_cosine(logits):
    directions = [F.normalize(side) for side in logits]
    squared = Embedding("squared")(*directions).item() * CLASSES
    assert squared == pytest.approx(2 * Embedding()(*logits).item())


def test_two_documents_are_one_margin(logits):
    student, teacher = (side[:, :2] for side in logits)
    theirs = F.mse_loss(student[:, 0] - student[:, 1], teacher[:, 0] - teacher[:, 1]).item()
    assert MarginMSE()(student, teacher).item() == pytest.approx(theirs)


def test_the_order_of_negatives_does_not_matter_but_the_positive_does(logits):
    student, teacher = logits
    value = MarginMSE()(student, teacher).item()
    order = [0, 3, 1, 4, 2]
    assert MarginMSE()(student[:, order], teacher[:, order]).item() == pytest.approx(value)
    assert MarginMSE()(student.flip(1), teacher.flip(1)).item() != pytest.approx(value)


def test_one_document_has_no_margin(logits):
    with pytest.raises(ModelError, match="two documents"):
        MarginMSE()(*(side[:, :1] for side in logits))


# What cannot be


ALIKE = [ReverseKL(), JensenShannon(), SkewKL(), LogitMSE(), DIST(), BinaryTargets(), RegressionTargets(), MarginMSE()]


@pytest.mark.parametrize("objective", [*ALIKE, Embedding()], ids=str)
@pytest.mark.parametrize("shape", [(ROWS, CLASSES + 1), (1, CLASSES), (ROWS,)])
def test_what_would_broadcast_is_refused(objective, shape, logits):
    with pytest.raises(ModelError, match="must be \\(rows, "):
        objective(logits[0], torch.zeros(shape, dtype=torch.float64))


@pytest.mark.parametrize("objective", [BinaryLabels(), RegressionLabels(), BoundedRegression()], ids=str)
def test_labels_of_another_shape_are_refused(objective):
    world = values_world(torch.Generator().manual_seed(0))
    narrow = replace(world, batch=replace(world.batch, target=world.batch.target[:, :2]))
    with pytest.raises(ModelError, match=r"as many (labels|true values); got \(6, 2\)"):
        objective(narrow.student, narrow.teacher, narrow.batch)


@pytest.mark.parametrize("objective", ALIKE, ids=str)
def test_a_guide_without_all_logits_is_refused(objective, world):
    top = Signals(top=TopK(torch.zeros(ROWS, 1).long(), torch.zeros(ROWS, 1), (2.0,), torch.zeros(ROWS, 1)))
    with pytest.raises(ModelError, match="signal: logits"):
        objective(world.student, top, world.batch)


@pytest.mark.parametrize(
    ("make", "about"),
    [
        *((lambda kind=kind: kind(temperature=0.0), "temperature") for kind in (ReverseKL, JensenShannon, SkewKL)),
        *((lambda kind=kind: kind(temperature=float("nan")), "temperature") for kind in (DKD, DIST, BinaryTargets)),
        *((lambda beta=beta: JensenShannon(beta), "beta") for beta in (0.0, 1.0, -1.0, float("nan"))),
        *((lambda alpha=alpha: SkewKL(alpha), "alpha") for alpha in (1.0, -0.1)),
        (lambda: DKD(alpha=-1.0), "alpha"),
        (lambda: DKD(beta=float("inf")), "beta"),
        (lambda: DIST(beta=-1.0), "beta"),
        (lambda: DIST(gamma=-1.0), "gamma"),
        (lambda: LogitMSE(scale="sum"), "scale"),
        (lambda: BinaryTargets(scale="half-sum"), "scale"),
        (lambda: BinaryLabels(label_smoothing=1.0), "label_smoothing"),
        (lambda: BinaryLabels(scale="none"), "scale"),
        (lambda: RegressionTargets("absolute"), "error"),
        (lambda: RegressionLabels("huber", 0.0), "delta"),
        (lambda: BoundedRegression(-1.0), "margin"),
        (lambda: Embedding("euclidean"), "distance"),
        (lambda: Embedding("cosine", "neck"), "both"),
    ],
)
def test_settings_that_cannot_be(make, about):
    with pytest.raises(RecipeError, match=about):
        make()


def test_taps_that_were_not_read(world):
    objective = Embedding("cosine", "neck", "pool")
    with pytest.raises(ModelError, match="'neck'"):
        objective(world.student, world.teacher, world.batch)


# torchdistill 1.1.5 says the same, but for what docs/torchdistill.md lists.


def theirs(name, student, teacher, labels=None, **settings):
    losses = pytest.importorskip("torchdistill.losses.mid_level")
    where = {f"{who}_module_{what}": what for who in ("student", "teacher") for what in ("path", "io")}
    sides = ({"path": {"io": side}} for side in (student, teacher))
    return getattr(losses, name)(**where, **settings)(*sides, labels).item()


def test_torchdistills_kd(world, logits):
    ours = 0.3 * HardLabels() + 0.7 * SoftTargets(4.0)
    value = sum(ours(world.student, world.teacher, world.weighed(None).batch).values()).item()
    assert theirs("KDLoss", *logits, world.batch.target, temperature=4.0, alpha=0.3) == pytest.approx(value)
    alone = theirs("KDLoss", *logits, temperature=4.0, alpha=1)
    assert alone == pytest.approx(SoftTargets(4.0)(*logits).item() / 16)


def test_torchdistills_dist(logits):
    value = DIST(2.0, 0.5, 4.0)(*logits).item()
    assert theirs("DISTLoss", *logits, beta=2.0, gamma=0.5, tau=4.0) == pytest.approx(value, rel=1e-5)


def test_torchdistills_standardised_kd(logits):
    t = 2.0 * (CLASSES / (CLASSES - 1)) ** 0.5
    value = SoftTargets(t, standardize=True)(*logits).item() / t**2
    assert theirs("LogitStdKDLoss", *logits, temperature=2.0, alpha=1) == pytest.approx(value, rel=1e-5)
