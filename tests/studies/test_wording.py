"""Sentences that a product manager can read."""

import numpy as np
import pytest

from limbeck.studies.verdict import together
from limbeck.studies.wording import Words


def words(**changes) -> Words:
    values = {
        "arm": "student",
        "against": "baseline",
        "metric": "accuracy",
        "percent": True,
        "higher_is_better": True,
        "margin": 0.005,
        "seeds": 5,
        "examples": 360,
    }
    return Words(**(values | changes))


@pytest.mark.parametrize(
    ("outcome", "difference", "half", "sentence"),
    [
        (
            "beats",
            0.021,
            0.009,
            (
                "The distilled student beats the same student without a teacher by 2.1 points "
                "(95% interval 1.2 to 3.0, 5 seeds)."
            ),
        ),
        (
            "worse",
            -0.021,
            0.009,
            (
                "The distilled student is worse than the same student without a teacher by 2.1 points "
                "(95% interval 1.2 to 3.0, 5 seeds)."
            ),
        ),
        (
            "beats-by-less-than-matters",
            0.003,
            0.001,
            (
                "The distilled student beats the same student without a teacher, but by less than matters "
                "(0.5 points): by 0.3 points (95% interval 0.2 to 0.4, 5 seeds)."
            ),
        ),
        (
            "worse-by-less-than-matters",
            -0.003,
            0.001,
            (
                "The distilled student is worse than the same student without a teacher, but by less than matters "
                "(0.5 points): by 0.3 points (95% interval 0.2 to 0.4, 5 seeds)."
            ),
        ),
        (
            "no-gain",
            -0.001,
            0.003,
            (
                "The distilled student is as good as the same student without a teacher, to within 0.5 points: "
                "it measured 0.1 points behind (95% interval 0.4 points behind to 0.2 points ahead, 5 seeds)."
            ),
        ),
    ],
)
def test_settled(outcome, difference, half, sentence):
    assert words().sentence(outcome, difference, half, None, None) == sentence


@pytest.mark.parametrize(
    ("needed", "more", "mend"),
    [
        (23, None, "About 23 seeds would settle it."),
        (
            None,
            2345,
            "More seeds alone cannot settle it: more test examples are needed, about 2,400 (there are 360).",
        ),
        (
            None,
            None,
            "No practical number of seeds would settle it: seeds scatter too much for a difference this small.",
        ),
    ],
)
def test_inconclusive_names_the_mend(needed, more, mend):
    said = words().sentence("inconclusive", 0.004, 0.012, needed, more)
    assert said == (
        "Inconclusive: the distilled student measured 0.4 points ahead of the same student without a teacher "
        f"(95% interval 0.8 points behind to 1.6 points ahead, 5 seeds). {mend}"
    )


def test_roles_have_names_in_words():
    said = words(arm="student", against="teacher-labels").sentence("beats", 0.02, 0.01, None, None)
    assert "beats the student taught by the teacher's hard labels by" in said


def test_lower_is_better_and_no_percent():
    loss = words(metric="nll", percent=False, higher_is_better=False, margin=0.05)
    assert loss.sentence("beats", -0.123, 0.012, None, None) == (
        "The distilled student beats the same student without a teacher by 0.123 nll "
        "(95% interval 0.111 to 0.135, 5 seeds)."
    )
    big = words(metric="mse", percent=False, higher_is_better=False, margin=5.0)
    assert "by 1234 mse (95% interval 1111 to 1357, 5 seeds)" in big.sentence("beats", -1234.0, 123.0, None, None)


@pytest.mark.parametrize("exponent", range(1, 8))
def test_an_interval_that_excludes_zero_never_reads_as_if_it_did_not(exponent):
    low = 10.0**-exponent
    said = words().sentence("beats", 0.01 + low, 0.01, None, None)
    shown = said.split("interval ")[1].split(" to")[0]
    assert float(shown) > 0


def test_no_sentence_shows_a_negative_number_or_minus_zero():
    rng = np.random.default_rng(0)
    for difference, half in rng.normal(0, 0.01, (200, 2)):
        for outcome in ("inconclusive", "no-gain"):
            said = words().sentence(outcome, float(difference), abs(float(half)), 7, None)
            assert "-" not in said


def test_an_interval_without_a_width_is_said_in_words():
    said = words().sentence("inconclusive", 0.0, 0.0, None, None)
    assert "level with the same student without a teacher (exactly level in each of 5 seeds). " in said


@pytest.mark.parametrize("p_value", [0.0501, 0.0512, 0.0549, 0.05000001])
def test_what_may_be_chance_never_reads_as_the_limit(p_value):
    said = together("A beats B.", "beats", p_value, 3)
    assert float(said.split("p = ")[1].rstrip(").")) > 0.05
