"""What validation chooses: the best of the finalists, and nothing but validation has a say."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.runs.arms import Arm
from limbeck.runs.tune import tune
from limbeck.task import Metric, Multiclass, named

TASK = named("multiclass")
STEPS = 40


@dataclass(frozen=True)
class Ran:
    """A training that gave these values on validation."""

    job: object
    validation: dict
    steps: int


@dataclass(frozen=True)
class Settled:
    settings: dict
    steps: int


def arm(count):
    return Arm("student", tuple({"temperature": float(t + 1)} for t in range(count)), None, None)


def choose(short, full, *, finalists=2, task=TASK, losses=None):
    """Runs `tune` on made-up qualities; also returns what was run, in order."""
    ran = []

    def run(candidate, steps):
        place = int(candidate["temperature"]) - 1
        ran.append((place, steps))
        value = (full if steps == STEPS else short)[place]
        return Ran(Settled(candidate, steps), {task.metric.name: value, "nll": (losses or [0.0] * 99)[place]}, steps)

    found = tune(arm(len(short)), run, task=task, steps=STEPS, short_share=0.25, finalists=finalists)
    return found, int(found.chosen["temperature"]) - 1, ran


qualities = st.lists(st.sampled_from([0.1, 0.4, 0.5, 0.9]), min_size=2, max_size=6)


@settings(max_examples=100, deadline=None)
@given(short=qualities, data=st.data(), finalists=st.integers(1, 4))
def test_the_best_finalist_is_chosen(short, data, finalists):
    full = data.draw(st.lists(st.sampled_from([0.2, 0.3, 0.8]), min_size=len(short), max_size=len(short)))
    found, chosen, ran = choose(short, full, finalists=finalists)
    finals = [place for place, steps in ran if steps == STEPS]
    assert [place for place, steps in ran if steps == 10] == list(range(len(short)))
    assert len(finals) == min(finalists, len(short))
    worst = min(short[place] for place in finals)
    assert all(short[place] <= worst for place in range(len(short)) if place not in finals)
    assert full[chosen] == max(full[place] for place in finals)
    assert len(found.trials) == len(ran)
    assert [trial.final for trial in found.trials] == [steps == STEPS for _, steps in ran]


def test_short_runs_that_misrank_are_corrected_by_the_finalists():
    assert choose([0.9, 0.8, 0.1], [0.5, 0.7, 1.0])[1] == 1  # the third never ran at full length


def test_ties_go_to_the_lower_loss_and_then_to_the_earlier():
    assert choose([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], finalists=3, losses=[0.3, 0.1, 0.1])[1] == 1


def test_lower_is_better_where_the_task_says_so():
    task = Multiclass(metric=Metric("nll", higher_is_better=False))
    found, chosen, _ = choose([2.0, 1.0, 3.0], [2.0, 1.5, 0.1], task=task, losses=[2.0, 1.0, 3.0])
    assert chosen == 1
    assert "nll" in found.sentence


def test_a_single_candidate_needs_no_trial():
    found = tune(arm(1), lambda *_: pytest.fail("ran"), task=TASK, steps=STEPS, short_share=0.25, finalists=2)
    assert (found.trials, found.chosen) == ([], {"temperature": 1.0})
    assert found.sentence == "student: temperature 1, nothing was tuned."


def test_the_sentence_names_the_choice_and_how_it_was_made():
    found, _, _ = choose([0.9, 0.8, 0.1], [0.5, 0.7, 1.0])
    assert found.sentence == (
        "For the student, validation chose temperature 2 (70.0% accuracy) among 3 candidates, 2 of them at full length."
    )
