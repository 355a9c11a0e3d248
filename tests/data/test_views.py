"""Views: a function of (view seed, example id, view number) and of nothing else, bit for bit."""
# ruff: noqa: NPY002 - the global states are what is tested

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.data.source import InputSpec
from limbeck.data.view_ops import Crop, Erase, Flip, Noise, Shift
from limbeck.data.views import VIEW_OPS, Views, op_named
from limbeck.errors import InputError


def jitter(image):
    """A transform that draws from all three global states."""
    level = random.random() + np.random.random() + torch.rand(()).item()
    return (image.float() * level / 3).to(torch.uint8)


OPS = {
    "shift": Shift(2, fill=7.0),
    "flip": Flip(),
    "flip-vertical": Flip(horizontal=False, p=0.3),
    "crop": Crop((0.5, 0.9)),
    "erase": Erase(p=0.8, fill=255.0),
    "noise": Noise(20.0),
    "callable": jitter,
}
chains = st.lists(st.sampled_from(sorted(OPS)), min_size=1, max_size=4).map(lambda names: tuple(OPS[n] for n in names))


def examples(n, channels=1, height=6, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, channels, height, width), generator=generator, dtype=torch.uint8)
    ids = torch.randint(-(2**62), 2**62, (n,), generator=generator)
    return images, ids, torch.randint(0, 9, (n,), generator=generator)


@settings(deadline=None, max_examples=60)
@given(
    ops=chains,
    seed=st.integers(0, 2**40),
    order=st.permutations(range(9)),
    cut=st.integers(1, 8),
    channels=st.sampled_from([1, 3]),
)
def test_a_view_does_not_depend_on_its_batch(ops, seed, order, cut, channels):
    images, ids, numbers = examples(9, channels)
    views = Views(ops, seed)
    whole = views.apply(images, ids, numbers)
    shuffled = list(order)
    parts = [shuffled[:cut], shuffled[cut:]]
    pieces = torch.cat([views.apply(images[part], ids[part], numbers[part]) for part in parts])
    assert torch.equal(pieces, whole[shuffled])


@settings(deadline=None, max_examples=30)
@given(ops=chains, n=st.sampled_from([1, 3, 17, 64]))
def test_shape_range_and_the_inputs_stay(ops, n):
    images, ids, numbers = examples(n)
    before = images.clone()
    out = Views(ops, 1).apply(images, ids, numbers)
    assert out.shape == images.shape
    last = next((op for op in reversed(ops) if isinstance(op, Noise) or op is jitter), None)
    assert out.dtype == (torch.float32 if isinstance(last, Noise) else torch.uint8)
    assert out.min() >= 0
    assert out.max() <= 255
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", sorted(OPS))
def test_seed_id_and_view_number_all_matter(name):
    images, ids, numbers = examples(64)
    base = Views((OPS[name],), 0).apply(images, ids, numbers)
    assert not torch.equal(base, Views((OPS[name],), 1).apply(images, ids, numbers))
    assert not torch.equal(base, Views((OPS[name],), 0).apply(images, ids + 1, numbers))
    assert not torch.equal(base, Views((OPS[name],), 0).apply(images, ids, numbers + 1))


def test_two_equal_ops_draw_different_numbers():
    images, ids, numbers = examples(200)
    once = Views((Flip(),), 0).apply(images, ids, numbers)
    twice = Views((Flip(), Flip()), 0).apply(images, ids, numbers)
    assert not torch.equal(twice, images)
    assert not torch.equal(twice, once)


def test_threads_do_not_matter():
    images, ids, numbers = examples(128, 3, 32, 32)
    views = Views((Shift(2), Flip(), Crop(), Erase(), Noise()), 0)
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(views.apply(images, ids, numbers))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*results)


def test_view_numbers():
    assert [Views((Flip(),), 0, 3).view_number(p) for p in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    assert [Views((Flip(),)).view_number(p) for p in range(3)] == [0, 1, 2]
    assert [Views().view_number(p) for p in range(3)] == [0, 0, 0]


def test_the_fingerprint_tells_everything_that_changes_a_view():
    variants = [
        Views(), Views((Flip(),)), Views((Flip(p=0.4),)), Views((Flip(horizontal=False),)), Views((Flip(),), 1),
        Views((Flip(),), 0, 4), Views((Shift(), Flip())), Views((Flip(), Shift())), Views((jitter,)),
        Views((torch.flipud,)), Views((lambda x: x,)), Views((lambda x: x + 1,)), Views((lambda x: x + 2,)),
    ]  # fmt: skip
    assert len({views.fingerprint() for views in variants}) == len(variants)
    assert Views((Crop((0.5, 1)),)).fingerprint() == Views((Crop([0.5, 1.0]),)).fingerprint()


def test_the_path_is_announced():
    assert Views((Shift(), Noise())).path == "batched"
    assert Views((Shift(), Noise())).note is None
    slow = Views((Shift(), jitter))
    assert slow.path == "per-example"
    assert slow.note is not None
    assert "jitter" in slow.note
    assert "\n" not in slow.note


def test_without_ops_the_inputs_are_the_views():
    images, ids, numbers = examples(3)
    assert Views().apply(images, ids, numbers) is images


def test_arrays_are_not_clipped_but_get_noise():
    arrays, ids, numbers = torch.full((4, 10), -300.0), torch.arange(4), torch.zeros(4, dtype=torch.int64)
    out = Views((Noise(1.0),)).apply(arrays, ids, numbers)
    assert out.max() < -250
    assert not torch.equal(out, arrays)


def test_moves_are_refused_for_what_has_no_height_and_width():
    with pytest.raises(InputError, match="needs images"):
        Views((Shift(),)).check(InputSpec("array", (10,), "float32"))
    with pytest.raises(InputError, match="needs images"):
        Views((Erase(),)).check(InputSpec("array", (10,), "float32"))
    Views((Noise(),)).check(InputSpec("array", (10,), "float32"))
    Views((Shift(), Crop(), Erase())).check(InputSpec("image", (3, 8, 8), "uint8"))


def test_every_named_op_can_be_made_and_used():
    images, ids, numbers = examples(5)
    required = {"v2": {"transform": "RandomHorizontalFlip"}}
    for name in VIEW_OPS:
        assert Views((op_named(name, **required.get(name, {})),)).apply(images, ids, numbers).shape == images.shape


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: op_named("shfit"), "shift, flip"),
        (lambda: op_named("shift", pixel=1), "pixel"),
        (lambda: op_named("shift", pixels=0), "shift.pixels"),
        (lambda: op_named("shift", pixels=1.5), "shift.pixels"),
        (lambda: op_named("shift", pixels="2"), "shift.pixels"),
        (lambda: op_named("shift", fill=300), "shift.fill"),
        (lambda: op_named("flip", p=1.1), "flip.p"),
        (lambda: op_named("flip", p="often"), "flip"),
        (lambda: op_named("crop", share=(0.9, 0.5)), "crop.share"),
        (lambda: op_named("crop", share=(0, 1)), "crop.share"),
        (lambda: op_named("crop", share=0.5), "crop.share"),
        (lambda: op_named("erase", share=[0.1, 0.2, 0.3]), "erase.share"),
        (lambda: op_named("erase", p=-1), "erase.p"),
        (lambda: op_named("erase", fill=256), "erase.fill"),
        (lambda: op_named("noise", std=0), "noise.std"),
        (lambda: op_named("noise", std=float("nan")), "noise.std"),
        (lambda: Views((Flip(),), 0, 0), "count"),
    ],
)
def test_settings_out_of_range_are_named(make, named):
    with pytest.raises(InputError, match=named):
        make()
