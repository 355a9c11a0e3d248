"""Transforms of others: seeded for each view, one at a time, and the world left as it was."""
# ruff: noqa: NPY002 - the global states are what is tested

import random

import numpy as np
import pytest
import torch

from limbeck.data.per_example import PerExample
from limbeck.data.source import InputSpec
from limbeck.data.views import Views
from limbeck.errors import InputError


def seen(transform, images):
    numbers = torch.zeros(len(images), dtype=torch.int64)
    return Views((transform,), 0).apply(images, torch.arange(len(images)), numbers)


IMAGES = torch.randint(0, 256, (6, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.mark.parametrize("fails", [False, True])
def test_the_random_states_are_given_back(fails):
    def transform(image):
        random.random(), np.random.random(), torch.rand(3)
        if fails:
            raise RuntimeError("on purpose")
        return image

    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    if fails:
        with pytest.raises(RuntimeError, match="on purpose"):
            seen(transform, IMAGES)
    else:
        seen(transform, IMAGES)
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.get_rng_state(), states[2])


def test_the_outer_state_does_not_reach_in():
    def noisy(image):
        return (image.float() * torch.rand(()) * np.random.random() * random.random()).to(torch.uint8)

    first = seen(noisy, IMAGES)
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    assert torch.equal(seen(noisy, IMAGES), first)
    assert len({row.numpy().tobytes() for row in first}) == len(first)


def test_a_transform_that_writes_in_place_leaves_the_examples_alone():
    before = IMAGES.clone()
    assert (seen(lambda image: image.zero_(), IMAGES) == 0).all()
    assert torch.equal(IMAGES, before)


@pytest.mark.parametrize(
    ("transform", "named"),
    [
        (lambda image: image[:, :4], "expected a tensor of shape"),
        (lambda image: image.numpy(), "expected a tensor of shape"),
        (lambda image: image.double(), "float64"),
        (lambda image: image.float() / 255, "leave the scaling out"),
    ],
)
def test_what_breaks_the_contract_is_said(transform, named):
    with pytest.raises(InputError, match=named):
        seen(transform, IMAGES)


def test_a_wrong_shape_is_found_before_training():
    with pytest.raises(InputError, match="shape"):
        Views((lambda image: torch.nn.functional.pad(image, (1, 1)),)).check(InputSpec("image", (1, 8, 8), "uint8"))


def test_what_cannot_be_called_is_refused():
    with pytest.raises(InputError, match="callable"):
        PerExample("flip")


def test_torchvision_transforms_work_and_tell_their_settings():
    v2 = pytest.importorskip("torchvision.transforms.v2", reason="torchvision is not installed")
    jitter = v2.Compose([v2.RandomHorizontalFlip(), v2.ColorJitter(brightness=0.5)])
    whole = seen(jitter, IMAGES)
    ids, numbers = torch.arange(6), torch.zeros(6, dtype=torch.int64)
    alone = torch.cat([Views((jitter,), 0).apply(IMAGES[[i]], ids[[i]], numbers[[i]]) for i in range(6)])
    assert torch.equal(whole, alone)
    assert not torch.equal(whole, IMAGES)
    prints = {Views((v2.ColorJitter(brightness=b),)).fingerprint() for b in (0.1, 0.5, 0.5)}
    assert len(prints) == 2
