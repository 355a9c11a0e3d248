"""Stratified splits and kept labels: laws for any labels, then the choices' independence of the generator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.data.split import keep_labels, stratified
from limbeck.errors import DataError, InputError

some_labels = st.lists(st.integers(-1, 4), min_size=1, max_size=80).map(np.array)
shares = st.floats(0.01, 0.99)
seeds = st.integers(0, 2**32)


@given(labels=some_labels, share=shares, seed=seeds)
def test_a_split_parts_the_rows_and_keeps_classes_on_both_sides(labels, share, seed):
    counts = {label: int((labels == label).sum()) for label in range(5)}
    if max(counts.values()) < 2:
        with pytest.raises(DataError, match=r"data\.validation"):
            stratified(labels, share, seed)
        return
    kept, held = stratified(labels, share, seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert (labels[held] >= 0).all()
    for label, count in counts.items():
        mine = int((labels[held] == label).sum())
        if count >= 2:
            assert 1 <= mine < count
            assert abs(mine - share * count) <= 1
        else:
            assert mine == 0


@given(labels=some_labels, share=st.floats(0.01, 1.0), seed=seeds)
def test_kept_labels_are_stratified_and_at_least_one_a_class(labels, share, seed):
    kept = keep_labels(labels, share, seed)
    assert not kept[labels < 0].any()
    for label in set(labels.tolist()) - {-1}:
        mine = int(kept[labels == label].sum())
        assert mine >= 1
        assert abs(mine - share * (labels == label).sum()) <= 1


@given(labels=some_labels, seed=seeds, shares=st.tuples(shares, shares))
def test_fewer_labels_are_among_more(labels, seed, shares):
    fewer, more = (keep_labels(labels, share, seed) for share in sorted(shares))
    assert not (fewer & ~more).any()


def test_all_labels_are_kept_at_one():
    labels = np.array([0, 1, -1, 1])
    assert np.array_equal(keep_labels(labels, 1.0, 0), labels >= 0)


def test_the_seed_chooses():
    labels = np.zeros(100, dtype=int)
    splits = {stratified(labels, 0.5, seed)[1].tobytes() for seed in range(5)}
    assert len(splits) == 5
    assert np.array_equal(stratified(labels, 0.5, 3)[1], stratified(labels, 0.5, 3)[1])


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(InputError, match="between 0 and 1"):
        stratified(np.array([0, 0]), share, 0)


@pytest.mark.parametrize("share", [0, 1.01, float("nan")])
def test_a_share_of_labels_out_of_range_is_refused(share):
    with pytest.raises(InputError, match="at most 1"):
        keep_labels(np.array([0, 0]), share, 0)
