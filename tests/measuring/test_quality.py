"""Estimates with intervals."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from limbeck.errors import DataError
from limbeck.measuring.quality import check_rows, estimate, quality
from limbeck.task import Multiclass


@example(right=0, more=7)
@given(st.integers(0, 40), st.integers(1, 40))
def test_right_or_wrong_gets_wilsons_interval(right, more):
    n = right + more
    found = estimate(np.array([1.0] * right + [0.0] * more))
    reference = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert found.value == pytest.approx(right / n)
    assert found.ci95 == pytest.approx((reference.low, reference.high), abs=1e-9)
    assert 0 <= found.ci95[0] <= found.value <= found.ci95[1] <= 1
    assert found.ci95[0] < found.ci95[1]


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30).filter(lambda rows: not {*rows} <= {0.0, 1.0}))
def test_other_scores_get_students_interval(rows):
    scores = np.array(rows)
    found = estimate(scores)
    spread = stats.sem(scores)
    low, high = stats.t.interval(0.95, scores.size - 1, scores.mean(), spread) if spread else (found.value,) * 2
    assert found.ci95 == pytest.approx((low, high), rel=1e-6, abs=1e-9)


def test_the_interval_holds_the_truth_nineteen_times_of_twenty():
    rng = np.random.default_rng(0)
    draws = [estimate((rng.random(200) < 0.95).astype(float)).ci95 for _ in range(1000)]
    assert 0.93 < np.mean([low <= 0.95 <= high for low, high in draws]) < 0.98


def test_one_example_and_none():
    assert estimate(np.array([0.3])).ci95 is None
    assert estimate(np.array([1.0])).ci95 == pytest.approx((0.2065, 1.0), abs=1e-4)
    with pytest.raises(DataError, match="no examples"):
        estimate(np.array([]))


def test_quality_leaves_unlabelled_rows_out():
    logits = np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0], [9.0, 0.0]], dtype=np.float32)
    found = quality(Multiclass(), logits, np.array([0, 1, 0, -1]))
    assert set(found) == {"accuracy", "nll", "brier"}
    assert found["accuracy"].value == pytest.approx(2 / 3)
    right, wrong = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    assert found["nll"].value == pytest.approx((2 * right + wrong) / 3, rel=1e-6)


def test_quality_without_labels_is_empty_and_rows_must_match():
    logits = np.zeros((3, 2), dtype=np.float32)
    assert quality(Multiclass(), logits, np.array([-1, -1, -1])) == {}
    with pytest.raises(DataError, match="3 rows of logits, but 2"):
        check_rows(logits, np.array([0, 1]))


def test_intervals_end_where_the_measure_does():
    """Four right and sure, one wrong and sure: Student's interval of nll and brier would reach below 0."""
    logits, target = np.array([[9.0, 0.0]] * 5), np.array([0, 0, 0, 0, 1])
    scores, found = Multiclass().scores(logits, target), quality(Multiclass(), logits, target)
    for name in ("nll", "brier"):
        assert estimate(scores[name]).ci95[0] < 0
        assert found[name].ci95 == (0.0, min(estimate(scores[name]).ci95[1], 2.0 if name == "brier" else np.inf))
