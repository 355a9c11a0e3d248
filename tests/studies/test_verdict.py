"""Laws of the verdict, references, edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from limbeck.errors import InputError
from limbeck.record import Verdict
from limbeck.studies.interval import spread
from limbeck.studies.proof import World
from limbeck.studies.verdict import _check, compare, corrected, examples_needed, holm, judge, seeds_needed


def verdict(arm, against, **changes) -> Verdict:
    named = {"metric": "accuracy", "percent": True, "arm": "student", "against": "baseline"}
    return compare(arm, against, **({"higher_is_better": True} | named | changes))


def drawn(seed=0, *, seeds=5, examples=2000, **world):
    world = {"accuracy": 0.95} | world
    return World(examples, **world).draw(np.random.default_rng(seed), seeds)


numbers = st.integers(0, 10_000)


@given(numbers, st.integers(2, 7), st.sampled_from([0.0, 0.02, -0.02]))
@settings(max_examples=25, deadline=None)
def test_swapping_sides_negates(seed, seeds, gain):
    arm, against = drawn(seed, seeds=seeds, examples=500, gain=gain, own_sd=0.5)
    one, other = verdict(arm, against), verdict(against, arm)
    mirror = {"beats": "worse", "worse": "beats"}
    first, _, rest = one.outcome.partition("-by-")
    assert other.outcome == mirror.get(first, first) + (f"-by-{rest}" if rest else "")
    assert other.difference == pytest.approx(-one.difference, abs=1e-12)
    assert other.ci95 == pytest.approx((-one.ci95[1], -one.ci95[0]), abs=1e-12)
    assert other.p_value == pytest.approx(one.p_value)
    assert other.seeds_needed == one.seeds_needed


@given(numbers, st.sampled_from([0.0, 0.02, -0.02]))
@settings(max_examples=20, deadline=None)
def test_a_metric_turned_round_gives_the_same_outcome(seed, gain):
    arm, against = (1.0 - scores for scores in drawn(seed, examples=500, gain=gain))  # errors: lower is better
    loss = verdict(arm, against, higher_is_better=False, metric="error")
    gained = verdict(1 - arm, 1 - against)
    assert loss.outcome == gained.outcome
    assert loss.difference == pytest.approx(-gained.difference)


@given(numbers, st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_a_constant_added_to_both_sides_changes_nothing(seed, shift):
    rng = np.random.default_rng(seed)
    arm, against = rng.gamma(1, 1, (4, 60)), rng.gamma(1, 1, (4, 60))
    one, other = verdict(arm, against), verdict(arm + shift, against + shift)
    assert (one.outcome, one.seeds_needed) == (other.outcome, other.seeds_needed)
    assert one.ci95 == pytest.approx(other.ci95, abs=1e-9)


@given(numbers)
@settings(max_examples=15, deadline=None)
def test_order_of_examples_and_of_pairs_of_seeds_plays_no_part(seed):
    rng = np.random.default_rng(seed)
    arm, against = drawn(seed, examples=300)
    rows, columns = rng.permutation(5), rng.permutation(300)
    one, other = verdict(arm, against), verdict(arm[rows][:, columns], against[rows][:, columns])
    assert one.ci95 == pytest.approx(other.ci95, abs=1e-12)
    assert one.sentence == other.sentence


@pytest.mark.parametrize("examples", [20, 360, 10_000])
def test_identical_scores_are_no_gain(examples):
    scores, _ = drawn(examples=examples, accuracy=0.8)
    found = verdict(scores, scores)
    assert (found.outcome, found.difference, found.ci95, found.p_value) == ("no-gain", 0.0, (0.0, 0.0), 1.0)
    assert "scored the same" in found.sentence


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("gain", [0.0, 0.3])
def test_fewer_than_three_seeds_settle_nothing(seeds, gain):
    arm, against = drawn(seeds=seeds, examples=5000, accuracy=0.6, gain=gain)
    found = verdict(arm, against)
    assert found.outcome == "inconclusive"
    assert found.seeds_needed is None or found.seeds_needed >= 3
    assert (found.ci95 is None) == (seeds == 1)


@pytest.mark.parametrize("gain", [0.0, 0.01])
@pytest.mark.parametrize("seeds", [3, 5, 12])
def test_with_ever_more_examples_it_is_the_paired_t_test_over_seeds(seeds, gain):
    rng = np.random.default_rng(seeds)
    seed_effect = gain + 0.005 * rng.standard_normal((seeds, 1))
    against = rng.standard_normal((seeds, 200_000)) * 1e-4
    found = verdict(against + seed_effect, against)
    reference = stats.ttest_rel((against + seed_effect).mean(1), against.mean(1))
    assert found.ci95 == pytest.approx(tuple(reference.confidence_interval(0.95)), rel=1e-6)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-4)


def test_with_seeds_that_do_not_differ_it_is_the_paired_t_test_over_examples():
    rng = np.random.default_rng(0)
    arm, against = rng.gamma(2, 1, 80), rng.gamma(2, 1, 80)
    found = verdict(np.tile(arm, (5, 1)), np.tile(against, (5, 1)))
    reference = stats.ttest_rel(arm, against)
    assert found.ci95 == pytest.approx(tuple(reference.confidence_interval(0.95)), rel=1e-9)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-4)


def test_variances_are_those_of_a_two_way_analysis():
    rng = np.random.default_rng(3)
    table = rng.standard_normal((4, 1)) + rng.standard_normal((1, 9)) + rng.standard_normal((4, 9)) + 1e6
    found = spread(table, binary=False)
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    assert found.seed_variance == pytest.approx(table.mean(1).var(ddof=1))
    assert found.example_variance == pytest.approx(table.mean(0).var(ddof=1))
    assert found.residual_variance == pytest.approx((rest**2).sum() / (3 * 8))


@given(numbers, st.integers(2, 8), st.sampled_from([0.0, 0.01, 0.03]))
@settings(max_examples=25, deadline=None)
def test_the_interval_is_never_narrower_than_either_part_alone(seed, seeds, gain):
    arm, against = drawn(seed, seeds=seeds, examples=300, gain=gain, own_sd=0.5)
    difference = arm.astype(float) - against
    half = spread(difference, binary=True).half_width()
    over_seeds, over_examples = (difference.mean(axis) for axis in (1, 0))
    for means in (over_seeds, over_examples):
        alone = stats.t.ppf(0.975, means.size - 1) * means.std(ddof=1) / means.size**0.5
        assert half >= alone - 1e-12


@given(numbers, st.sampled_from([0.0, 0.01, 0.03]))
@settings(max_examples=25, deadline=None)
def test_the_p_value_is_below_the_level_exactly_when_the_interval_excludes_zero(seed, gain):
    arm, against = drawn(seed, examples=400, gain=gain)
    found = verdict(arm, against)
    excluded = found.ci95[0] > 0 or found.ci95[1] < 0
    assert (found.p_value < 0.05) == excluded
    assert 0 < found.p_value <= 1


def test_right_or_wrong_answers_cannot_exclude_what_was_not_drawn():
    """Nothing tells two models apart on 360 examples: the same may be so although 0.8% of all examples would."""
    perfect = np.ones((5, 360))
    found = verdict(perfect, perfect)
    assert found.outcome == "inconclusive"
    assert found.ci95[1] == pytest.approx(-np.log(0.025) / 360)
    assert (1 - found.ci95[1]) ** 360 == pytest.approx(0.025, rel=0.03)
    assert "740" in found.sentence
    assert verdict(np.ones((5, 740)), np.ones((5, 740))).outcome == "no-gain"


class TestWhatWouldSettleIt:
    @given(numbers, st.integers(2, 6), st.sampled_from([0.0, 0.004, 0.01]))
    @settings(max_examples=40, deadline=None)
    def test_seeds_needed_is_the_least_number(self, seed, seeds, gain):
        arm, against = drawn(seed, seeds=seeds, examples=3000, gain=gain)
        found, margin = spread(arm.astype(float) - against, binary=True), 0.005

        def settled(count):
            half = found.half_width(seeds=count)
            return judge(found.difference, half, margin=margin, higher_is_better=True, seeds=count) != "inconclusive"

        needed = seeds_needed(found, margin)
        if needed is None:
            assert not settled(1000)
        else:
            assert settled(needed)
            assert needed == max(3, seeds + 1) or not settled(needed - 1)

    def test_a_small_test_sample_is_named_as_what_is_short(self):
        arm, against = drawn(4, examples=360, own_sd=1.0, seeds=40, seed_sd=0.001)
        found = verdict(arm, against)
        assert (found.outcome, found.seeds_needed) == ("inconclusive", None)
        assert "more test examples are needed, about" in found.sentence
        measured = spread(arm.astype(float) - against, binary=True)
        assert examples_needed(measured, 0.005) > 2 * 360

    def test_settled_verdicts_need_no_more(self):
        found = verdict(*drawn(examples=10_000, gain=0.02, seed_sd=0.002))
        assert (found.outcome, found.seeds_needed) == ("beats", None)

    def test_seeds_that_scatter_too_much_for_any_number_are_said_to(self):
        rng = np.random.default_rng(0)
        against = rng.random((5, 10)) * 1e-9
        found = verdict(against + np.array([[1.0], [-1.0], [2.0], [-2.0], [1e-7]]), against)
        assert found.seeds_needed is None
        assert "No practical number of seeds" in found.sentence


@pytest.mark.parametrize(
    ("difference", "half", "outcome"),
    [
        (0.020, 0.010, "beats"),
        (0.004, 0.003, "beats"),  # the interval reaches beyond the margin: it may matter
        (0.003, 0.002, "beats-by-less-than-matters"),
        (0.001, 0.002, "no-gain"),
        (0.001, 0.001, "no-gain"),  # touching 0 does not exclude it
        (0.001, 0.006, "inconclusive"),
        (-0.001, 0.002, "no-gain"),
        (-0.003, 0.002, "worse-by-less-than-matters"),
        (-0.020, 0.010, "worse"),
    ],
)
def test_outcomes_follow_the_interval(difference, half, outcome):
    assert judge(difference, half, margin=0.005, higher_is_better=True, seeds=5) == outcome
    turned = judge(-difference, half, margin=0.005, higher_is_better=False, seeds=5)
    assert turned == outcome


class TestHolm:
    def test_published_steps(self):
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
    def test_laws(self, p_values):
        adjusted = holm(p_values)
        assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
        assert holm(p_values[::-1]) == adjusted[::-1]
        bonferroni = [min(1.0, len(p_values) * p) for p in p_values]
        assert all(q <= b + 1e-12 for q, b in zip(adjusted, bonferroni, strict=True))
        assert min(adjusted) == pytest.approx(min(bonferroni))

    def test_fills_all_that_have_a_p_value_and_warns(self):
        weak = verdict(*drawn(examples=2000, gain=0.02, seed_sd=0.002)).model_copy(update={"p_value": 0.03})
        single = verdict(*drawn(seeds=1))
        found = corrected([weak, single, weak])
        assert [each.p_value_holm for each in found] == [0.06, None, 0.06]
        assert found[0].sentence.endswith("this may be chance (p = 0.06).")
        assert found[0].outcome == weak.outcome
        assert corrected([weak])[0].sentence == weak.sentence
        assert corrected([]) == []


@pytest.mark.parametrize(
    ("arm", "against", "margin", "words"),
    [
        (np.ones((5, 10)), np.ones((5, 11)), 0.005, r"\(5, 10\) against \(5, 11\)"),
        (np.ones((5, 10)), np.ones((1, 10)), 0.005, "same seeds"),
        (np.ones(10), np.ones(10), 0.005, "seeds, test examples"),
        (np.ones((5, 0)), np.ones((5, 0)), 0.005, "seeds, test examples"),
        (np.full((5, 10), np.nan), np.ones((5, 10)), 0.005, "not finite"),
        (np.ones((5, 10)), np.ones((5, 10)), -0.1, "margin"),
        (np.ones((5, 10)), np.ones((5, 10)), float("nan"), "margin"),
    ],
)
def test_wrong_input_is_refused(arm, against, margin, words):
    with pytest.raises(InputError, match=words):
        _check(arm, against, margin)


def test_one_test_example_settles_nothing():
    found = verdict(np.ones((5, 1)), np.zeros((5, 1)))
    assert (found.outcome, found.ci95, found.seeds_needed) == ("inconclusive", None, None)
    assert "One test example shows nothing" in found.sentence
