"""What each built-in op does, against slow references, and how often it does what."""

import numpy as np
import pytest
import torch
from scipy import stats

from limbeck.data.draws import Draws, streams
from limbeck.data.gather import after, moved
from limbeck.data.view_ops import Crop, Erase, Flip, Noise, Shift
from limbeck.data.views import Views


def draws(n, seed=0):
    return Draws(streams(seed, np.arange(n), np.zeros(n, dtype=np.int64)), 0)


def seen(ops, images, seed=0):
    return Views(ops, seed).apply(images, torch.arange(len(images)), torch.zeros(len(images), dtype=torch.int64))


def pictures(n, channels=3, height=7, width=5):
    return torch.randint(
        0, 256, (n, channels, height, width), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )


def test_moved_is_what_it_says():
    generator = np.random.default_rng(0)
    images = pictures(4).float()
    rows, columns = generator.integers(-1, 7, (4, 7)), generator.integers(-1, 5, (4, 5))
    out = moved(images, rows, columns, 9.0)
    for b, c, i, j in np.ndindex(*out.shape):
        inside = rows[b, i] >= 0 and columns[b, j] >= 0
        assert out[b, c, i, j] == (images[b, c, rows[b, i], columns[b, j]] if inside else 9.0)


@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_one_axis_alone_is_like_both(axis):
    images = pictures(4)
    straight = {"rows": np.tile(np.arange(7), (4, 1)), "columns": np.tile(np.arange(5), (4, 1))}
    maps = straight | {axis: straight[axis][:, ::-1].copy()}
    alone = {"rows": None, "columns": None} | {axis: maps[axis]}
    assert torch.equal(moved(images, **alone, fill=0.0), moved(images, **maps, fill=0.0))


def test_after_is_one_gather_for_two():
    generator = np.random.default_rng(0)
    images = pictures(6)
    first, then = generator.integers(-1, 5, (6, 5)), generator.integers(-1, 5, (6, 5))
    both = moved(moved(images, None, first, 3.0), None, then, 3.0)
    assert torch.equal(moved(images, None, after(first, then), 3.0), both)


def test_a_chain_is_its_ops_one_after_the_other():
    images = pictures(32)
    chain = (Shift(2), Flip(), Crop((0.5, 1)), Flip(horizontal=False), Shift(1, fill=255.0))
    views, ids, numbers = Views(chain, 4), torch.arange(32), torch.zeros(32, dtype=torch.int64)
    of_rows = streams(4, np.arange(32), np.zeros(32, dtype=np.int64))
    slow = images
    for place, op in enumerate(chain):
        slow = moved(slow, *op.maps(Draws(of_rows, place), 7, 5), fill=op.fill or 0.0)
    assert torch.equal(views.apply(images, ids, numbers), slow)


def test_shift_pads_and_cuts_and_every_offset_is_as_likely():
    images = pictures(5000, channels=1, height=5, width=5)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), value=17)
    windows = torch.stack([padded[:, :, i : i + 5, j : j + 5] for i in range(5) for j in range(5)])
    same = (seen((Shift(2, fill=17.0),), images)[None] == windows).flatten(2).all(2)
    assert (same.sum(0) == 1).all()  # each view is exactly one of the 25 windows
    assert stats.chisquare(same.sum(1).numpy()).pvalue > 0.001


def test_a_shift_beyond_the_image_leaves_only_fill():
    out = seen((Shift(50, fill=3.0),), pictures(300))
    assert (out == 3).flatten(1).all(1).any()


@pytest.mark.parametrize(("horizontal", "axis"), [(True, 3), (False, 2)])
def test_flip_mirrors_with_its_probability(horizontal, axis):
    images = pictures(4000, channels=1)
    out = seen((Flip(horizontal=horizontal, p=0.3),), images)
    mirrored = (out == images.flip(axis)).flatten(1).all(1)
    assert ((out == images).flatten(1).all(1) | mirrored).all()
    assert stats.binomtest(int(mirrored.sum()), 4000, 0.3).pvalue > 0.001
    assert torch.equal(seen((Flip(horizontal=horizontal, p=1),), images), images.flip(axis))
    assert torch.equal(seen((Flip(horizontal=horizontal, p=0),), images), images)


def test_crop_of_everything_changes_nothing():
    images = pictures(50)
    assert torch.equal(seen((Crop((1, 1)),), images), images)


def test_crop_magnifies_a_window_of_its_share():
    images = torch.arange(64 * 64).view(1, 1, 64, 64).expand(500, 1, 64, 64).float()
    out = seen((Crop((0.5, 0.75)),), images)
    rows, columns = out // 64, out % 64
    assert (rows.diff(dim=2) >= 0).all()
    assert (columns.diff(dim=3) >= 0).all()
    height = rows[:, 0, -1, 0] - rows[:, 0, 0, 0] + 1
    width = columns[:, 0, 0, -1] - columns[:, 0, 0, 0] + 1
    assert height.min() >= 31
    assert height.max() <= 49
    assert (height - width).abs().max() <= 1  # one share for both sides
    assert rows.min() == 0
    assert rows.max() == 63


def test_erase_paints_one_rectangle_of_its_share():
    images = torch.full((2000, 3, 40, 40), 200, dtype=torch.uint8)
    out = seen((Erase((0.1, 0.3), p=0.6, fill=5.0),), images)
    painted = out[:, 0] == 5
    assert torch.equal(out[:, 0], out[:, 1])
    hit = painted.flatten(1).any(1)
    assert stats.binomtest(int(hit.sum()), 2000, 0.6).pvalue > 0.001
    heights, widths = painted.any(2).sum(1)[hit], painted.any(1).sum(1)[hit]
    areas = painted.flatten(1).sum(1)[hit]
    assert torch.equal(areas, heights * widths)
    assert areas.min() >= 0.085 * 1600
    assert areas.max() <= 0.315 * 1600
    assert (heights > widths).any()
    assert (heights < widths).any()


def test_noise_is_normal_of_its_deviation():
    images = torch.full((200, 1, 11, 11), 128, dtype=torch.uint8)  # 121 numbers: not a multiple of four
    noise = (seen((Noise(10.0),), images) - 128) / 10
    assert noise.dtype == torch.float32
    assert stats.kstest(noise.double().numpy().ravel(), "norm").pvalue > 0.001
    flat = noise.flatten(1)
    assert abs(np.corrcoef(flat[:, :-1].ravel(), flat[:, 1:].ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(flat[:-1].ravel(), flat[1:].ravel())[0, 1]) < 0.03


def test_noise_is_clipped_on_images():
    out = seen((Noise(200.0),), pictures(50))
    assert out.min() == 0
    assert out.max() == 255


def test_draws_are_asked_for_by_number_not_in_turn():
    source = draws(5)
    assert np.array_equal(source.uniform(2), source.uniform(3)[:, :2])
