"""Expected calibration error."""

from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from limbeck.errors import DataError
from limbeck.measuring.calibration import calibration


def model(rng, n, *, temperature=1.0, classes=5):
    """Logits and labels of a model that is calibrated at temperature 1; higher is overconfident."""
    truth = rng.normal(0, 2, (n, classes))
    target = (softmax(truth, axis=1).cumsum(1) > rng.random((n, 1))).argmax(1)
    return (truth * temperature).astype(np.float32), target


def by_hand(logits, target, bins=15):
    p = softmax(logits.astype(float), axis=1)
    order = np.argsort(p.max(1), kind="stable")
    gap = (p.max(1) - (p.argmax(1) == target))[order]
    return sum(abs(part.sum()) for part in np.split(gap, bins)) / len(gap)


def test_it_is_the_definition_where_bins_come_out_even():
    logits, target = model(np.random.default_rng(0), 15 * 40, temperature=2)
    found = calibration(logits, target)
    assert found.ece.value == pytest.approx(by_hand(logits, target))
    assert [each.count for each in found.bins] == [40] * 15
    total = sum(each.count * abs(each.confidence - each.accuracy) for each in found.bins)
    assert found.ece.value == pytest.approx(total / 600)


@given(st.integers(0, 1000), st.integers(1, 60), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_order_of_rows_plays_no_part_and_ties_stay_together(seed, n, ties):
    rng = np.random.default_rng(seed)
    logits, target = model(rng, n)
    logits = np.round(logits / 4).astype(np.float32) if ties else logits
    rows = rng.permutation(n)
    one, other = calibration(logits, target), calibration(logits[rows], target[rows])
    assert one.ece.ci95 == pytest.approx(other.ece.ci95) if n > 1 else one.ece.ci95 is other.ece.ci95 is None
    assert one.ece.value == pytest.approx(other.ece.value)
    assert [each.count for each in one.bins] == [each.count for each in other.bins]
    assert sum(each.count for each in one.bins) == n
    assert 0 <= one.ece.value <= 1


def test_equal_confidence_is_one_bin():
    logits = np.tile(np.array([[2.0, 0.0]], dtype=np.float32), (100, 1))
    found = calibration(logits, np.arange(100) % 2)
    assert [each.count for each in found.bins] == [100]
    assert found.ece.value == pytest.approx(1 / (1 + np.exp(-2)) - 0.5)


def test_a_calibrated_model_has_an_interval_that_begins_at_zero():
    rng = np.random.default_rng(0)
    lows = [calibration(*model(rng, 400)).ece.ci95[0] for _ in range(60)]
    assert np.mean(np.array(lows) == 0) > 0.85


def test_the_interval_holds_the_true_error():
    """The truth: the same bins on a sample so large that no noise is left."""
    rng = np.random.default_rng(0)
    truth = by_hand(*model(rng, 300_000, temperature=2))
    intervals = [calibration(*model(rng, 1000, temperature=2)).ece.ci95 for _ in range(50)]
    assert np.mean([low <= truth <= high for low, high in intervals]) >= 0.88
    assert all(low > 0 for low, _ in intervals)


def test_unlabelled_rows_are_left_out():
    logits, target = model(np.random.default_rng(0), 90)
    more = np.concatenate([logits, logits * 9]), np.concatenate([target, np.full(90, -1)])
    assert calibration(*more) == calibration(logits, target)
    with pytest.raises(DataError, match="no example is labelled"):
        calibration(logits, np.full(90, -1))


def test_one_example_has_no_interval():
    found = calibration(np.array([[1.0, 0.0]], dtype=np.float32), np.array([0]))
    assert found.ece.ci95 is None
    assert len(found.bins) == 1


def test_ten_thousand_examples_take_under_half_a_second():
    data = model(np.random.default_rng(0), 10_000)
    start = process_time()
    calibration(*data)
    assert process_time() - start < 0.5
