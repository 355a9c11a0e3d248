"""Hinton's loss beyond the laws that all keep: temperature limits, the scale, what torch's kl_div makes of it."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from limbeck.core.signals import Sampled, Signals, TopK
from limbeck.errors import ModelError, RecipeError
from limbeck.objectives import HardLabels, SoftTargets, TeacherLabels
from limbeck.objectives.hard_labels import cross_entropy_rows
from limbeck.objectives.reduce import full_precision, weighted_mean
from limbeck.objectives.soft_targets import soft_targets_rows
from limbeck.objectives.sparse import soft_targets_sampled_rows, soft_targets_top_rows

from .worlds import CLASSES, ROWS, batch_of, logits_world


@pytest.fixture
def logits():
    world = logits_world(torch.Generator().manual_seed(1))
    return world.student.logits, world.teacher.logits


def slope(function, student):
    leaf = student.clone().requires_grad_()
    return torch.autograd.grad(function(leaf), leaf)[0]


def test_hot_it_is_the_distance_of_the_centred_logits(logits):
    student, teacher = logits
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    limit = centred.square().sum(1) / (2 * CLASSES)
    errors = [(soft_targets_rows(student, teacher, t) / limit - 1).abs().max().item() for t in (1e2, 1e3, 1e4)]
    assert errors == pytest.approx(sorted(errors, reverse=True))
    assert errors[-1] < 1e-3


def test_hot_its_gradient_is_that_of_matched_logits(logits):
    """Section 2.1 of the paper: dC/dz_i -> (z_i - v_i) / N for logits that are centred."""
    student, teacher = logits
    hot = slope(lambda s: soft_targets_rows(s, teacher, 1e4).sum(), student)
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    assert torch.allclose(hot, centred / CLASSES, atol=1e-3)


def test_cold_it_is_the_margin_at_the_teachers_top_class(logits):
    student, teacher = logits
    given_away = student.amax(1) - student.gather(1, teacher.argmax(1, keepdim=True)).squeeze(1)
    temperature = 1e-4
    assert torch.allclose(soft_targets_rows(student, teacher, temperature) / temperature, given_away, atol=1e-4)


def test_its_gradient_keeps_its_size(logits):
    """Without the square it would fall a hundredfold from T=1 to T=10."""
    student, teacher = logits
    sizes = [slope(lambda s, t=t: soft_targets_rows(s, teacher, t).sum(), student).norm().item() for t in (1.0, 10.0)]
    assert 0.2 < sizes[1] / sizes[0] < 5


def test_kl_div_is_the_same_up_to_known_factors(logits):
    student, teacher = logits
    t = 3.0
    ours = SoftTargets(temperature=t)(student, teacher).item()
    arguments = F.log_softmax(student / t, dim=1), F.softmax(teacher / t, dim=1)
    assert ours == pytest.approx(t**2 * F.kl_div(*arguments, reduction="batchmean").item())
    with pytest.warns(UserWarning, match="batchmean"):
        mean = F.kl_div(*arguments, reduction="mean").item()
    assert ours == pytest.approx(t**2 * CLASSES * mean)  # "mean" divides by the classes too
    weight = torch.tensor([1.0, 0, 0, 0, 0, 0], dtype=torch.float64)
    only_first = t**2 * F.kl_div(arguments[0][:1], arguments[1][:1], reduction="batchmean").item()
    assert SoftTargets(t).on_tensors(student, teacher, weight).item() == pytest.approx(only_first)


def test_a_shift_of_all_logits_changes_nothing(logits):
    student, teacher = logits
    value = SoftTargets(2.0)(student, teacher).item()
    assert SoftTargets(2.0)(student + 100, teacher - 50).item() == pytest.approx(value, rel=1e-10)


def test_classes_are_cut_before_the_softmax(logits):
    student, teacher = logits
    subset = SoftTargets(2.0, classes=[4, 1])(student, teacher)
    assert subset.item() == pytest.approx(SoftTargets(2.0)(student[:, [4, 1]], teacher[:, [4, 1]]).item())
    slopes = slope(lambda s: SoftTargets(2.0, classes=[4, 1])(s, teacher), student)
    assert slopes[:, [4, 1]].all()
    assert not slopes[:, [0, 2, 3]].any()


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_temperatures_that_are_none(temperature):
    with pytest.raises(RecipeError, match="temperature"):
        SoftTargets(temperature)


@pytest.mark.parametrize("classes", [[], [1], [1, 1], [0, 1, 1], [-1, 2]])
def test_classes_that_cannot_be(classes):
    with pytest.raises(RecipeError, match="classes"):
        SoftTargets(classes=classes)


def test_classes_beyond_the_last(logits):
    with pytest.raises(ModelError, match="beyond the 5 classes"):
        SoftTargets(classes=[0, 5])(*logits)


@pytest.mark.parametrize("objective", [SoftTargets(), TeacherLabels()])
@pytest.mark.parametrize("shape", [(ROWS, CLASSES + 1), (1, CLASSES), (ROWS, 1), (ROWS,)])
def test_what_would_broadcast_is_refused(objective, shape, logits):
    with pytest.raises(ModelError, match="must be \\(rows, classes\\)"):
        objective(logits[0], torch.zeros(shape, dtype=torch.float64))


@pytest.mark.parametrize("other", [torch.zeros(ROWS, CLASSES), torch.zeros(ROWS), torch.zeros(ROWS, 1).long()])
def test_labels_are_one_index_a_row(other, logits):
    with pytest.raises(ModelError, match="6 class indices"):
        HardLabels()(logits[0], other)


def test_a_weight_is_one_number_a_row():
    with pytest.raises(ModelError, match="one number a row"):
        weighted_mean.__wrapped__(torch.zeros(3), torch.ones(1))


@pytest.mark.parametrize("objective", [HardLabels, TeacherLabels])
@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_smoothing_out_of_range(objective, smoothing):
    with pytest.raises(RecipeError, match="label_smoothing"):
        objective(label_smoothing=smoothing)


def test_a_batch_without_labels_teaches_nothing():
    batch = batch_of(torch.Generator().manual_seed(0))
    masked = type(batch)(batch.ids, batch.views, batch.inputs, batch.target, torch.zeros(ROWS, dtype=torch.bool))
    logits = torch.randn(ROWS, CLASSES, requires_grad=True)
    value = HardLabels()(Signals(logits), None, masked)["hard-labels"]
    assert value.item() == 0
    assert not torch.autograd.grad(value, logits)[0].any()


def test_unlabelled_rows_are_as_if_they_were_not_there():
    batch = batch_of(torch.Generator().manual_seed(0))
    mask = torch.tensor([True, True, False, True, False, False])
    masked = type(batch)(batch.ids, batch.views, batch.inputs, batch.target.where(mask, -1), mask, weight=batch.weight)
    logits = torch.randn(ROWS, CLASSES, dtype=torch.float64)
    rows = cross_entropy_rows(logits[mask], batch.target[mask])
    expected = weighted_mean(rows, batch.weight[mask])
    assert HardLabels()(Signals(logits), None, masked)["hard-labels"].item() == pytest.approx(expected.item())


def test_smoothing_spreads_over_all_classes():
    """Torch's convention and the paper's: the label itself gets its share of what is spread."""
    logits = torch.tensor([[2.0, 0.0, 0.0, 0.0]])
    log_p = torch.log_softmax(logits, dim=1)[0]
    expected = -(0.8 + 0.05) * log_p[0] - 0.05 * log_p[1:].sum()
    assert HardLabels(0.2)(logits, torch.tensor([0])).item() == pytest.approx(expected.item())


def test_a_teacher_that_says_nan_is_not_believed():
    """argmax of NaN names a class."""
    teacher = torch.tensor([[0.0, float("nan")], [0.0, 1.0]])
    assert TeacherLabels()(torch.zeros(2, 2), teacher).isnan()
    assert SoftTargets()(torch.zeros(2, 2), teacher).isnan()


def test_the_top_of_all_classes_is_exact_and_fewer_are_a_lower_bound(logits):
    student, teacher = logits
    whole = soft_targets_rows(student, teacher, 2.0)
    ordered, index = teacher.sort(dim=1, descending=True)
    before = torch.full_like(whole, -1)
    for k in range(1, CLASSES + 1):
        tail = torch.logsumexp(ordered[:, k:] / 2.0, dim=1)
        bound = soft_targets_top_rows(student, index[:, :k], ordered[:, :k], tail, 2.0)
        assert (bound <= whole + 1e-12).all()
        assert (bound >= before - 1e-12).all()
        before = bound
    assert torch.allclose(before, whole)
    assert torch.allclose(
        slope(lambda s: soft_targets_rows(s, teacher, 2.0).sum(), student),
        slope(lambda s: soft_targets_top_rows(s, index, ordered, tail, 2.0).sum(), student),
    )


def test_drawn_classes_tend_to_the_divergence(logits):
    """Value and gradient; the error of 200,000 draws is within five standard errors."""
    student, teacher = (part[:1] for part in logits)
    p = torch.softmax(teacher / 2.0, dim=1)
    draws = 200_000
    index = torch.multinomial(p, draws, replacement=True, generator=torch.Generator().manual_seed(0))
    entropy = -(p * p.log()).sum(1)
    estimate = soft_targets_sampled_rows(student, index, entropy, 2.0)
    log_s = torch.log_softmax(student / 2.0, dim=1)
    spread = 4 * ((p * log_s.square()).sum() - (p * log_s).sum() ** 2).sqrt().item() / draws**0.5
    assert estimate.item() == pytest.approx(soft_targets_rows(student, teacher, 2.0).item(), abs=5 * spread)
    exact = slope(lambda s: soft_targets_rows(s, teacher, 2.0).sum(), student)
    drawn = slope(lambda s: soft_targets_sampled_rows(s, index, entropy, 2.0).sum(), student)
    assert torch.allclose(drawn, exact, atol=5 * 2 * 0.5 / draws**0.5)


def test_another_temperature_than_the_guides_is_refused(logits):
    batch = batch_of(torch.Generator().manual_seed(0))
    index = torch.zeros(ROWS, 1, dtype=torch.int64)
    numbers = torch.zeros(ROWS, 1, dtype=torch.float64)
    top = Signals(top=TopK(index, numbers, (1.0, 4.0), numbers.expand(-1, 2)))
    drawn = Signals(sampled=Sampled(index, 4.0, numbers[:, 0]))
    for said in (top, drawn):
        with pytest.raises(ModelError, match="cannot be re-tempered"):
            SoftTargets(2.0)(Signals(logits[0]), said, batch)
        with pytest.raises(ModelError, match="all logits"):
            SoftTargets(4.0, classes=[0, 1])(Signals(logits[0]), said, batch)


def test_calls_that_are_none(logits):
    for arguments in (logits[:1], (logits[0], Signals(logits[1])), (Signals(logits[0]), Signals(logits[1]))):
        with pytest.raises(TypeError):
            SoftTargets()(*arguments)


def test_full_precision_keeps_what_is_enough():
    kinds = {torch.float16: torch.float32, torch.bfloat16: torch.float32, torch.float32: torch.float32}
    kinds[torch.float64] = torch.float64
    assert all(full_precision(torch.zeros(1, dtype=given)).dtype == got for given, got in kinds.items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_loss_is_float32_inside_autocast_too(dtype, logits):
    student, teacher = (part.float() for part in logits)
    with torch.autocast("cpu", dtype):
        value = SoftTargets(2.0)(student.to(dtype), teacher)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(SoftTargets(2.0)(student.to(dtype).float(), teacher).item(), rel=1e-6)
