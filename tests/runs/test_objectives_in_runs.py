"""Objectives that training cannot serve yet are refused before anything is trained."""

import pytest

from limbeck.errors import RecipeError
from limbeck.runs.given import Given
from limbeck.verbs.planning import planned


@pytest.mark.parametrize(
    "term",
    [
        {"method": "hint", "student": "body.0", "teacher": "stem"},
        {"method": "rkd-distance", "student": "body.0", "teacher": "stem"},
        {"method": "gradient-attention"},
    ],
    ids=lambda term: term["method"],
)
def test_activations_are_refused(term):
    recipe = {"data": {"train": "digits"}, "teacher": {"train": {"width": 4}}, "objective": [term]}
    with pytest.raises(RecipeError, match="activations"):
        planned(recipe, Given(), {"name": "refused"})


def test_relations_between_answers_are_not():
    recipe = {
        "data": {"train": "digits"},
        "teacher": {"train": {"width": 4}},
        "objective": [{"method": "rkd-distance"}],
    }
    assert planned(recipe, Given(), {"name": "taken"}).arms[0].role == "student"
