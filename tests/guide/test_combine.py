"""Ensembles: the mean is the mean, the draw is fair and repeatable, and what has no mean is refused."""

import numpy as np
import pytest
import torch

from limbeck.core.batch import Batch
from limbeck.core.protocols import SignalSource
from limbeck.core.signals import Signals
from limbeck.data.loader import TrainingBatches
from limbeck.errors import GuideError, InputError
from limbeck.guide.combine import Ensemble
from limbeck.guide.read import open_guide
from limbeck.guide.spec import FeatureSpec, SampledSpec, SignalSpec, TopKSpec


class Fixed:
    """Says the same about everything."""

    def __init__(self, *logits, classes=None):
        self.logits, self.classes = torch.tensor([logits], dtype=torch.float32), classes

    def signals(self, batch):
        return Signals(logits=self.logits.repeat(len(batch), 1))

    def fingerprint(self):
        return str(self.logits.tolist())


def batch_of(*ids, view=0):
    ids = torch.tensor(ids)
    return Batch(ids, torch.full_like(ids, view), torch.zeros(len(ids)))


def test_by_hand():
    sources = [Fixed(0.0, 0.0), Fixed(np.log(3.0), 0.0)]
    p = Ensemble(sources).signals(batch_of(1)).logits.exp()
    assert torch.allclose(p, torch.tensor([[0.625, 0.375]]))
    p = Ensemble(sources, weights=[3, 1]).signals(batch_of(1)).logits.exp()
    assert torch.allclose(p, torch.tensor([[0.5625, 0.4375]]))
    z = Ensemble(sources, rule="logits", weights=[1, 3]).signals(batch_of(1)).logits
    assert torch.allclose(z, torch.tensor([[0.75 * np.log(3.0), 0.0]], dtype=torch.float32))


@pytest.mark.parametrize("rule", ["probabilities", "logits", "random"])
def test_one_alone_and_one_with_all_the_weight_say_what_it_says(rule):
    source, other = Fixed(1.0, -2.0, 0.5), Fixed(9.0, 9.0, -9.0)
    expected = source.logits.softmax(1)
    for ensemble in (Ensemble([source], rule=rule), Ensemble([other, source], rule=rule, weights=[0, 2])):
        for view in range(20):
            assert torch.allclose(ensemble.signals(batch_of(1, 2, view=view)).logits.softmax(1), expected.repeat(2, 1))


def test_the_mean_against_plain_arithmetic(world, tmp_path, make_teacher):
    teachers = [make_teacher(seed) for seed in range(3)]
    for number, teacher in enumerate(teachers):
        world.but(teacher=teacher).write(tmp_path / str(number))
    guides = [open_guide(tmp_path / str(number)) for number in range(3)]
    batch = next(TrainingBatches(world.source, views=world.views, batch_size=32, seed=0).from_step(0))
    ensemble = Ensemble(guides, weights=[1, 2, 5])
    assert isinstance(ensemble, SignalSource)
    assert ensemble.classes == ("a", "b", "c", "d", "e")
    logits = [teacher.signals(batch).logits.double() for teacher in teachers]
    p = sum(w * z.softmax(1) for w, z in zip((0.125, 0.25, 0.625), logits, strict=True))
    assert torch.allclose(ensemble.signals(batch).logits.exp().double(), p, atol=1e-6)
    live = Ensemble(teachers, weights=[1, 2, 5])
    assert torch.equal(live.signals(batch).logits, ensemble.signals(batch).logits)
    prints = {live.fingerprint(), ensemble.fingerprint(), Ensemble(guides, weights=[2, 2, 5]).fingerprint()}
    assert len(prints) == 3


def test_the_draw_is_the_batchs_and_fair():
    sources = [Fixed(float(number), 0.0) for number in range(3)]
    ensemble = Ensemble(sources, rule="random", weights=[1, 1, 2], seed=3)

    def drawn(batch, ensemble=ensemble):
        return int(ensemble.signals(batch).logits[0, 0])

    many = [drawn(batch_of(step, step + 1, step + 2)) for step in range(600)]
    share = np.bincount(many, minlength=3) / 600
    assert np.abs(share - [0.25, 0.25, 0.5]).max() < 0.06
    assert [drawn(batch_of(step + 2, step, step + 1)) for step in range(600)] == many, "rows in another order"
    assert [drawn(batch_of(step, step + 1, step + 2, view=1)) for step in range(600)] != many
    other = Ensemble(sources, rule="random", weights=[1, 1, 2], seed=4)
    assert [drawn(batch_of(step, step + 1, step + 2), other) for step in range(600)] != many


@pytest.mark.parametrize("output", [TopKSpec(2), SampledSpec(3)])
@pytest.mark.parametrize("rule", ["probabilities", "logits"])
def test_sparse_guides_have_no_mean_but_can_be_drawn(world, tmp_path, make_teacher, output, rule):
    guides = []
    for seed in range(2):
        world.but(teacher=make_teacher(seed)).write(tmp_path / str(seed), spec=SignalSpec(output))
        guides.append(open_guide(tmp_path / str(seed)))
    batch = next(TrainingBatches(world.source, views=world.views, batch_size=32, seed=0).from_step(0))
    with pytest.raises(GuideError, match=r"other classes for each row.*rule: random"):
        Ensemble(guides, rule=rule).signals(batch)
    told = Ensemble(guides, rule="random").signals(batch)
    assert told.top is not None or told.sampled is not None


def test_features_have_no_mean(world, tmp_path, make_teacher):
    world.but(teacher=make_teacher(taps=("1",))).write(tmp_path, spec=SignalSpec(features={"1": FeatureSpec()}))
    guide = open_guide(tmp_path)
    batch = next(TrainingBatches(world.source, views=world.views, batch_size=8, seed=0).from_step(0))
    with pytest.raises(GuideError, match="features"):
        Ensemble([guide, guide]).signals(batch)
    assert "1" in Ensemble([guide, guide], rule="random").signals(batch).features


def test_classes_must_agree():
    one, other = Fixed(0.0, 1.0, classes=("cat", "dog")), Fixed(0.0, 1.0, classes=("dog", "cat"))
    with pytest.raises(GuideError, match="cat, dog and dog, cat"):
        Ensemble([one, other])
    with pytest.raises(GuideError, match="2, 3 classes"):
        Ensemble([Fixed(0.0, 1.0), Fixed(0.0, 1.0, 2.0)]).signals(batch_of(1))
    assert Ensemble([one, Fixed(1.0, 1.0)]).classes == ("cat", "dog")


@pytest.mark.parametrize(
    "settings",
    [
        {"sources": []},
        {"rule": "median"},
        {"weights": [1]},
        {"weights": [0, 0]},
        {"weights": [1, -1]},
        {"weights": [1, float("nan")]},
    ],
)
def test_settings_that_cannot_be(settings):
    arguments = {"sources": [Fixed(0.0), Fixed(1.0)]} | settings
    with pytest.raises(InputError, match="ensemble"):
        Ensemble(**arguments)
