"""What each term pulls at the student with, and weights that are shares of it."""

import pytest
import torch

from limbeck.objectives import HardLabels, SoftTargets
from limbeck.objectives.hint import Hint
from limbeck.training.sitting import Stage

from .workshop import always, mlp, run


def pulls(objective, **settings):
    history = run(mlp(), [Stage(objective, 6, always(evaluations=6, gradient_shares=True, **settings))]).history
    return [
        {k.removeprefix("train/gradient/"): v for k, v in row["values"].items() if "gradient/" in k} for row in history
    ]


def test_shares_add_up_to_one_and_follow_the_weights():
    for row in pulls(2 * SoftTargets(2.0) + HardLabels()):
        assert sum(row.values()) == pytest.approx(1)
    light, heavy = (pulls(weight * Hint("1.2", "2") + HardLabels())[0] for weight in (1, 100))
    odds = [row["hint"] / row["hard-labels"] for row in (light, heavy)]
    assert odds[1] == pytest.approx(100 * odds[0], rel=1e-4)


def test_balanced_weights_are_the_shares_of_the_first_step():
    first = pulls(3 * Hint("1.2", "2") + HardLabels(), balance=True)[0]
    assert first["hint"] == pytest.approx(0.75, rel=1e-4)
    assert first["hard-labels"] == pytest.approx(0.25, rel=1e-4)


def test_looking_changes_nothing():
    def weights(**settings):
        model = mlp()
        run(model, [Stage(Hint("1.2", "2") + HardLabels(), 6, always(evaluations=3, **settings))])
        return model.state_dict()

    plain, watched = weights(), weights(gradient_shares=True)
    assert all(torch.equal(plain[name], watched[name]) for name in plain)
