"""Memorised teachers: measured as defined, warned about where it matters, and only there."""

import numpy as np
import pytest
import torch

from limbeck.core.signals import Signals
from limbeck.data.subset import Subset, without_labels
from limbeck.errors import DataError
from limbeck.guide.memorised import Memorised, Softness, measure, softness, warning


def test_one_hot_and_uniform():
    sure = softness(np.eye(4) * 1000, np.arange(4))
    assert (sure.top, sure.entropy, sure.accuracy) == (1.0, 0.0, 1.0)
    unsure = softness(np.zeros((4, 4)), np.arange(4))
    assert unsure.top == pytest.approx(0.25)
    assert unsure.entropy == pytest.approx(np.log(4))
    assert unsure.accuracy == 0.25


def test_measured_on_both_kinds(make_data):
    source = make_data(150)
    own, other = Subset(source, np.arange(100)), Subset(source, np.arange(100, 150))
    label = dict(zip(source.ids.tolist(), source.labels.tolist(), strict=True))
    known = set(own.ids.tolist())

    class Memory:
        """Sure and right about what it has seen, unsure and often wrong about the rest."""

        def signals(self, batch):
            assert (batch.views == 0).all()
            logits = torch.zeros(len(batch), 5)
            for row, example in enumerate(batch.ids.tolist()):
                right = example in known or example % 3 > 0
                logits[row, (label[example] + (not right)) % 5] = 12.0 if example in known else 4.0
            return Signals(logits=logits)

    found = measure(Memory(), own, other, batch_size=16)
    assert (found.own.examples, found.held_out.examples) == (100, 50)
    assert found.own.accuracy == 1.0
    assert 0.4 < found.held_out.accuracy < 0.9
    assert found.softness_ratio < 0.01
    said = warning(found)
    assert said.startswith("The teacher has memorised its training data")
    assert said.endswith(".")
    assert measure(Memory(), own, other, most=20).own.examples == 20
    with pytest.raises(DataError, match="no labelled"):
        measure(Memory(), own, without_labels(other))


@pytest.mark.parametrize(
    ("own", "held_out", "warns"),
    [
        ((0.9995, 1.0), (0.97, 0.94), True),
        ((0.97, 0.99), (0.95, 0.94), False),  # softer on others, but soft enough
        ((0.9995, 1.0), (0.9990, 0.999), False),  # sure everywhere, and rightly so
        ((0.9999, 0.95), (0.97, 0.95), False),  # it errs no less on its own
    ],
)
def test_when_to_warn(own, held_out, warns):
    found = Memorised(*(Softness(1000, top, 0.1, accuracy) for top, accuracy in (own, held_out)))
    assert (warning(found) is not None) == warns
