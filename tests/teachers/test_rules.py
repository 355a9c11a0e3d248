"""Rules of several teachers against plain loops over rows and classes, and what they must never do."""

import math

import numpy as np
import pytest
import torch

from limbeck.errors import ModelError
from limbeck.teachers.rules import Panel, check, combined, learned_weights


def softmax(row):
    top = max(row)
    exp = [math.exp(value - top) for value in row]
    return [value / sum(exp) for value in exp]


def literal(logits, panel):
    """One row's distribution, from the sentences in `Panel` and `combined`."""
    everyone = [n for n, place in enumerate(panel.places) if place is None]
    classes = len(logits[everyone[0]])
    said = {n: softmax(logits[n]) for n in range(len(logits))}
    if panel.rule == "logits":
        return softmax([sum(panel.weights[n] * logits[n][c] for n in everyone) for c in range(classes)])
    weights = {n: panel.weights[n] for n in everyone}
    if panel.rule == "confidence":
        for n in everyone:
            entropy = -sum(p * math.log(p) for p in said[n] if p > 0)
            weights[n] *= max(1 - entropy / math.log(classes), 1e-6)
    total = sum(weights.values())
    mean = [sum(weights[n] * said[n][c] for n in everyone) / total for c in range(classes)]
    parts, shares = [mean], [total]
    for n in panel.specialists:
        own, place = list(mean), panel.places[n]
        mass = sum(mean[c] for c in place)
        for c, p in zip(place, said[n], strict=True):
            own[c] = mass * p
        parts.append(own)
        shares.append(panel.weights[n])
    return [sum(s * part[c] for s, part in zip(shares, parts, strict=True)) / sum(shares) for c in range(classes)]


PANELS = {
    "probabilities": Panel("probabilities", (0.2, 0.3, 0.5), (None, None, None)),
    "logits": Panel("logits", (0.2, 0.3, 0.5), (None, None, None)),
    "confidence": Panel("confidence", (0.2, 0.3, 0.5), (None, None, None)),
    "specialists": Panel("probabilities", (0.5, 0.25, 0.25), (None, (3, 1), (0, 3, 4))),
}


def answers(panel, rows=6, classes=5, seed=0):
    random = torch.Generator().manual_seed(seed)
    widths = [classes if place is None else len(place) for place in panel.places]
    return [3 * torch.randn(rows, width, generator=random) for width in widths]


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_rule_row_by_row(name, seed):
    logits = answers(PANELS[name], seed=seed)
    found = combined(logits, PANELS[name]).softmax(1)
    for row in range(len(found)):
        expected = literal([each[row].tolist() for each in logits], PANELS[name])
        torch.testing.assert_close(found[row], torch.tensor(expected), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["probabilities", "logits", "confidence"])
def test_teachers_that_agree_are_one(name):
    (one,) = answers(Panel(name, (1.0,), (None,)))
    found = combined([one, one, one], PANELS[name])
    torch.testing.assert_close(found.softmax(1), one.softmax(1))


def test_a_specialist_leaves_other_classes_and_the_mass_of_its_own():
    panel = PANELS["specialists"]
    logits = answers(panel)
    alone = logits[0].softmax(1)
    found = combined(logits, Panel("probabilities", (0.0, 1.0, 0.0), panel.places[:1] + panel.places[1:])).softmax(1)
    torch.testing.assert_close(found[:, [0, 2, 4]], alone[:, [0, 2, 4]])
    torch.testing.assert_close(found[:, [1, 3]].sum(1), alone[:, [1, 3]].sum(1))
    torch.testing.assert_close(found[:, 3] / found[:, 1], logits[1].softmax(1)[:, 0] / logits[1].softmax(1)[:, 1])


def test_extreme_logits_stay_finite():
    for panel in PANELS.values():
        logits = [1e4 * each for each in answers(panel)]
        assert torch.isfinite(combined(logits, panel).softmax(1)).all()


def test_nobody_who_knows_all_classes_is_refused():
    with pytest.raises(ModelError, match="add one that knows all"):
        check(Panel("probabilities", (0.5, 0.5), ((0, 1), (2, 3))))


@pytest.mark.parametrize("rule", ["logits", "confidence", "random"])
def test_specialists_go_with_probabilities_only(rule):
    with pytest.raises(ModelError, match="probabilities"):
        check(Panel(rule, (0.5, 0.5), (None, (2, 3))))


def test_learned_weights_are_no_worse_than_any_other():
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 300)
    logits = random.normal(size=(3, 300, 4)) + np.array([0.5, 1.5, 0.0])[:, None, None] * np.eye(4)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    learned = learned_weights(probabilities, labels)
    assert sum(learned) == pytest.approx(1)

    def likelihood(weights):
        return np.log(np.tensordot(np.array(weights), probabilities, axes=1)[np.arange(300), labels]).mean()

    for other in random.dirichlet(np.ones(3), size=200):
        assert likelihood(learned) >= likelihood(other) - 1e-6
