"""Counter draws: fixed by what names them, uniform, independent between neighbours."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from limbeck.data.draws import Draws, key, shuffled, streams

seeds = st.integers(-(2**63), 2**63 - 1)


@given(n=st.integers(0, 300), seed=seeds, number=st.integers(0, 10**6))
def test_shuffled_is_a_permutation_fixed_by_its_arguments(n, seed, number):
    order = shuffled(n, "order", seed, number)
    assert sorted(order.tolist()) == list(range(n))
    assert np.array_equal(order, shuffled(n, "order", seed, number))


def test_domains_seeds_and_numbers_give_other_orders():
    orders = [shuffled(1000, *words) for words in (("a", 0, 0), ("b", 0, 0), ("a", 1, 0), ("a", 0, 1))]
    assert len({order.tobytes() for order in orders}) == 4


def test_every_position_is_as_likely():
    places = np.stack([shuffled(8, "order", 5, number) for number in range(4000)])
    counts = np.stack([np.bincount(places[:, i], minlength=8) for i in range(8)])
    assert stats.chisquare(counts.ravel()).pvalue > 0.001


def test_rows_do_not_know_of_each_other():
    ids, views = np.arange(50) * 7919, np.arange(50) % 3
    whole = Draws(streams(3, ids, views), op=2).uniform(4)
    alone = [Draws(streams(3, ids[[i]], views[[i]]), op=2).uniform(4)[0] for i in range(50)]
    assert np.array_equal(whole, np.stack(alone))


def test_uniform_and_uncorrelated_over_ids_views_ops_and_draws():
    ids = np.arange(20_000)  # consecutive ids are the hardest
    base = Draws(streams(0, ids, np.zeros_like(ids)), 0).uniform(2)
    others = [
        Draws(streams(0, ids, np.ones_like(ids)), 0).uniform(1)[:, 0],
        Draws(streams(0, ids, np.zeros_like(ids)), 1).uniform(1)[:, 0],
        Draws(streams(1, ids, np.zeros_like(ids)), 0).uniform(1)[:, 0],
        base[:, 1],
        np.roll(base[:, 0], 1),
    ]
    assert base.min() >= 0
    assert base.max() < 1
    assert stats.kstest(base.ravel(), "uniform").pvalue > 0.001
    for other in others:
        assert abs(np.corrcoef(base[:, 0], other)[0, 1]) < 4 / np.sqrt(len(ids))


def test_keys_take_any_integer():
    assert len({int(key("x", word)) for word in (-1, 0, 1, 2**63)}) == 4
    assert key("x", 2**64) == key("x", 0)  # words count modulo 2^64
