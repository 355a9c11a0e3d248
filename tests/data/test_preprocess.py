"""Preprocessing: the formula, against torchvision-free references; statistics; shapes; export."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from limbeck.data.preprocess import Prepared, Preprocess, PreprocessSpec, normalisation
from limbeck.errors import ModelError

SEED = torch.Generator().manual_seed(0)
PICTURES = torch.randint(0, 256, (5, 3, 6, 4), dtype=torch.uint8, generator=SEED)


def test_nothing_asked_nothing_done():
    x = torch.randn(3, 2, 4)
    assert torch.equal(Preprocess(PreprocessSpec())(x), x)
    assert torch.equal(Preprocess(PreprocessSpec())(PICTURES), PICTURES.float())


def test_it_is_the_formula():
    spec = PreprocessSpec(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    numbers = PICTURES.numpy().astype(np.float64)
    expected = (numbers / 255 - np.array(spec.mean)[:, None, None]) / np.array(spec.std)[:, None, None]
    assert np.allclose(Preprocess(spec)(PICTURES).numpy(), expected, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    mean=st.lists(st.floats(-3, 3, width=32), min_size=2, max_size=2),
    std=st.lists(st.floats(0.125, 4, width=32), min_size=2, max_size=2),
    scale=st.floats(0.001, 10),
)
def test_arrays_of_any_rank(mean, std, scale):
    for shape in ((2,), (2, 3), (2, 3, 2), (2, 3, 2, 2)):
        x = torch.randn(4, *shape, dtype=torch.float64)
        view = (-1, *(1,) * (len(shape) - 1))
        expected = (x * scale - torch.tensor(mean).view(view)) / torch.tensor(std).view(view)
        found = Preprocess(PreprocessSpec(scale, tuple(mean), tuple(std)))(x)
        assert found.dtype == torch.float32
        assert torch.allclose(found.double(), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("spec", [PreprocessSpec(mean=(0.5,)), PreprocessSpec(std=(2.0,)), PreprocessSpec(scale=0.5)])
def test_parts_may_be_left_out(spec):
    x = torch.randn(3, 2, 4)
    mean, std = (spec.mean or (0.0,))[0], (spec.std or (1.0,))[0]
    assert torch.allclose(Preprocess(spec)(x), (x * spec.scale - mean) / std)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.float16, torch.float64])
def test_any_type_in_float32_out(dtype):
    assert Preprocess(PreprocessSpec(scale=2.0))(torch.ones(1, 2).to(dtype)).dtype == torch.float32


def test_grey_becomes_three_and_colours_become_grey():
    grey = PICTURES[:, :1]
    assert torch.equal(Preprocess(PreprocessSpec(channels=3))(grey), grey.float().expand(-1, 3, -1, -1))
    luma = 0.299 * PICTURES[:, 0].float() + 0.587 * PICTURES[:, 1].float() + 0.114 * PICTURES[:, 2].float()
    assert torch.allclose(Preprocess(PreprocessSpec(channels=1))(PICTURES)[:, 0], luma)
    assert torch.allclose(Preprocess(PreprocessSpec(channels=1))(torch.full((1, 3, 2, 2), 7.0)), torch.tensor(7.0))
    assert torch.equal(Preprocess(PreprocessSpec(channels=3))(PICTURES), PICTURES.float())


def test_transparency_is_dropped():
    clear = torch.cat([PICTURES, torch.zeros_like(PICTURES[:, :1])], dim=1)
    assert torch.equal(Preprocess(PreprocessSpec(channels=3))(clear), PICTURES.float())
    grey = Preprocess(PreprocessSpec(channels=1))
    assert torch.equal(grey(clear), grey(PICTURES))


@pytest.mark.parametrize(("given", "wanted"), [(2, 1), (2, 3), (3, 4), (3, 2)])
def test_channels_that_cannot_be(given, wanted):
    with pytest.raises(ModelError, match=f"{given} channels cannot be turned into {wanted}"):
        Preprocess(PreprocessSpec(channels=wanted))(torch.zeros(1, given, 2, 2))


def test_sizes():
    resize = Preprocess(PreprocessSpec(size=(3, 2)))
    found = resize(PICTURES)
    assert found.shape == (5, 3, 3, 2)
    assert torch.allclose(found.mean(), PICTURES.float().mean(), rtol=0.1)
    assert torch.equal(Preprocess(PreprocessSpec(size=(6, 4)))(PICTURES), PICTURES.float())
    flat = torch.full((1, 1, 9, 9), 40, dtype=torch.uint8)
    assert torch.allclose(Preprocess(PreprocessSpec(size=(4, 17)))(flat), torch.tensor(40.0))


def test_it_is_the_same_in_any_batch():
    spec = PreprocessSpec(scale=1 / 255, mean=(0.2, 0.3, 0.4), std=(0.5, 0.6, 0.7), size=(3, 3))
    whole = Preprocess(spec)(PICTURES)
    assert all(torch.equal(Preprocess(spec)(PICTURES[n : n + 1])[0], whole[n]) for n in range(len(PICTURES)))


def test_statistics_of_pictures():
    spec = normalisation(PICTURES)
    assert spec.scale == 1 / 255
    assert (len(spec.mean), len(spec.std)) == (3, 3)
    x = Preprocess(spec)(PICTURES).double()
    assert torch.allclose(x.mean((0, 2, 3)), torch.zeros(3, dtype=torch.float64), atol=1e-5)
    assert torch.allclose(x.std((0, 2, 3), correction=0), torch.ones(3, dtype=torch.float64), atol=1e-5)


@pytest.mark.parametrize(
    "column",
    [
        lambda z: z,
        lambda z: 1e-8 * z,
        lambda z: 1e-5 * z + 3e-5,
        lambda z: 5 * z + 2010,
        lambda z: 1e9 * z - 1e10,
    ],
)
def test_statistics_of_tables_in_any_unit(column):
    z = torch.randn(500, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    raw = column(z).float()
    x = Preprocess(normalisation(raw))(raw).double()
    assert x.mean().item() == pytest.approx(0, abs=1e-3)
    assert x.std(correction=0).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, -3e-7])
def test_a_channel_that_never_varies_becomes_zero(value):
    raw = torch.stack([torch.full((50,), value), torch.randn(50)], dim=1)
    spec = normalisation(raw)
    assert spec.std[0] == 1
    assert torch.allclose(Preprocess(spec)(raw)[:, 0], torch.zeros(50), atol=max(1e-6, 1e-6 * abs(value)))


def test_statistics_do_not_hang_on_the_order():
    """Sums of another order end in other bits; the spec, and every fingerprint made of it, does not."""
    raw = torch.rand(999, 4, generator=torch.Generator().manual_seed(0))
    specs = {normalisation(raw[torch.randperm(999)]) for _ in range(10)}
    assert len(specs) == 1


def test_there_and_back_through_json():
    for spec in (PreprocessSpec(), PreprocessSpec(1 / 255, (0.1,), (0.3,), (8, 9), 1), normalisation(PICTURES)):
        assert PreprocessSpec.from_dict(spec.as_dict()) == spec
        assert PreprocessSpec.from_dict(json.loads(json.dumps(spec.as_dict()))) == spec


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (PreprocessSpec(mean=(0.1, 0.2), std=(1.0,)), "mean has 2 numbers, std 1"),
        (PreprocessSpec(std=(1.0, 0.0)), "above 0"),
        (PreprocessSpec(std=(-1.0,)), "above 0"),
    ],
)
def test_specs_that_cannot_be(spec, named):
    with pytest.raises(ModelError, match=named):
        Preprocess(spec)


def test_nothing_of_it_is_trained_or_saved():
    core = nn.Linear(3, 2)
    model = Prepared(core, Preprocess(PreprocessSpec(mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 3.0))))
    assert [name for name, _ in model.named_parameters()] == ["core.weight", "core.bias"]
    assert list(model.state_dict()) == ["core.weight", "core.bias"]
    x = torch.randn(4, 3)
    assert torch.equal(model(x), core(model.preprocess(x)))


def test_it_exports():
    spec = PreprocessSpec(scale=1 / 255, mean=(0.5,), std=(0.2,), channels=1)
    module = Preprocess(spec).eval()
    program = torch.export.export(module, (PICTURES,), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    assert torch.equal(program.module()(PICTURES[:2]), module(PICTURES[:2]))
