"""Terms that do nothing are said to do nothing."""

import pytest

from limbeck.runs.terms import notes_on_terms, shares


def rows(*values):
    return [
        {"step": n, "epoch": n, "values": {f"train/{k}": v for k, v in each.items()}} for n, each in enumerate(values)
    ]


def test_a_single_term_needs_no_words():
    assert notes_on_terms([rows({"soft-targets": 1.0})]) == []


def test_shares_are_told_and_an_idle_term_is_named():
    notes = notes_on_terms([rows({"hint": 0.001, "soft-targets": 1.0}, {"hint": 0.0, "soft-targets": 0.9})] * 2)
    assert "soft-targets 100%" in notes[0]
    assert notes[1].startswith("hint never had 1% of the loss")


@pytest.mark.parametrize("early", [0.02, 5.0])
def test_a_term_that_counted_once_is_not_idle(early):
    assert len(notes_on_terms([rows({"hint": early, "soft-targets": 1.0}, {"hint": 0.0, "soft-targets": 0.9})])) == 1


def test_the_gradient_counts_where_it_was_logged():
    row = {"hint": 1000.0, "soft-targets": 1.0, "gradient/hint": 0.004, "gradient/soft-targets": 0.996}
    assert shares(rows(row)[0]["values"]) == {"hint": 0.004, "soft-targets": 0.996}
    assert any("hint never had 1% of the gradient" in note for note in notes_on_terms([rows(row)]))
