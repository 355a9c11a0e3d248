"""The proof of the verdict in short; benchmarks/verdict_proof.py is the long one, docs/verdict.md its result."""

import numpy as np
import pytest
from scipy import stats

from limbeck.errors import InputError
from limbeck.studies.proof import World, real, scores_of, simulated
from limbeck.task import Metric, Multiclass

ACCURACY = Metric("accuracy", higher_is_better=True, percent=True)


def realistic(examples, gain=0.0, own_sd=0.0):
    """Accuracies of 90 to 97%, seeds that scatter by 0.3 to 0.8 points."""

    def draw(rng):
        sd, accuracy = rng.uniform(0.003, 0.008), rng.uniform(0.90, 0.97)
        return World(examples, accuracy, gain=gain, seed_sd=sd, own_sd=own_sd)

    return draw


def no_more_often_than(share, limit, runs):
    """Whether `share` of `runs` is compatible with a rate of at most `limit` (one-sided binomial test at 1%)."""
    return stats.binomtest(round(share * runs), runs, limit, alternative="greater").pvalue > 0.01


@pytest.mark.parametrize("examples", [360, 10_000])
def test_baseline_against_itself_beats_and_is_worse_in_at_most_one_of_forty(examples):
    rates = simulated(realistic(examples), comparisons=200)
    assert rates.comparisons == sum(rates.outcomes.values()) == 200
    assert rates.beats <= 0.025
    assert rates.worse <= 0.025


@pytest.mark.parametrize("own_sd", [0.0, 1.0])
@pytest.mark.parametrize(("examples", "runs"), [(360, 1000), (10_000, 200)])
def test_false_alarms_over_many_runs(examples, runs, own_sd):
    rates = simulated(realistic(examples, own_sd=own_sd), comparisons=runs, seed=1)
    assert no_more_often_than(rates.beats, 0.025, runs)
    assert no_more_often_than(rates.worse, 0.025, runs)
    assert no_more_often_than(1 - rates.covered, 0.05, runs)


@pytest.mark.nightly
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_false_alarms_over_very_many_runs(seeds):
    rates = simulated(realistic(10_000), comparisons=5000, seeds=seeds, seed=2)
    assert no_more_often_than(rates.beats, 0.025, 5000)
    assert no_more_often_than(rates.worse, 0.025, 5000)


def test_a_gain_of_two_points_is_found():
    rates = simulated(realistic(10_000, gain=0.02), comparisons=200)
    assert rates.beats >= 0.80
    assert rates.worse == 0


def test_a_difference_of_the_margin_is_hardly_ever_called_no_gain():
    for examples in (360, 1000, 3000):
        world = World(examples, 0.99, gain=0.005, seed_sd=0.0005, own_sd=1.0)
        assert no_more_often_than(simulated(world, comparisons=300).no_gain, 0.025, 300)


def test_no_gain_can_be_shown():
    rates = simulated(World(50_000, 0.95, seed_sd=0.001), comparisons=25)
    assert rates.no_gain > 0.8


def test_simulated_worlds_are_as_stated():
    rng = np.random.default_rng(0)
    world = World(20_000, 0.93, gain=0.02, seed_sd=0.006)
    arm, against = world.draw(rng, 200)
    assert arm.shape == against.shape == (200, 20_000)
    assert against.mean() == pytest.approx(0.93, abs=0.004)
    assert arm.mean() - against.mean() == pytest.approx(0.02, abs=0.003)
    noise = (against.mean(0) * (1 - against.mean(0))).mean() / 20_000
    assert np.sqrt(against.mean(1).var(ddof=1) - noise) == pytest.approx(0.006, rel=0.2)


def test_real_runs_give_rates():
    pool = World(400, 0.94).draw(np.random.default_rng(0), 20)[0].astype(float)
    same = real(pool, ACCURACY, comparisons=100)
    assert same.comparisons == 100
    assert same.beats <= 0.05
    assert same.covered is None
    gained = real(pool, ACCURACY, comparisons=100, gain=0.05)
    assert gained.beats > 0.9
    assert real(pool, ACCURACY, comparisons=20) == real(pool, ACCURACY, comparisons=20)


def test_real_runs_must_be_enough():
    with pytest.raises(InputError, match="at least 10"):
        real(np.ones((9, 100)), ACCURACY)


def test_scores_of_logits_leave_unlabelled_rows_out():
    rng = np.random.default_rng(0)
    logits, target = rng.standard_normal((3, 7, 4)).astype(np.float32), np.array([0, -1, 2, 3, -1, 1, 0])
    scores = scores_of(Multiclass(), logits, target)
    known = target >= 0
    assert scores.shape == (3, 5)
    assert (scores == (logits.argmax(2) == target)[:, known]).all()
