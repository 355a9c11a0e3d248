"""Signals, stored and read again: exact where that is promised, within the stated tolerance elsewhere."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.core.signals import Signals
from limbeck.errors import ModelError, NonFiniteError
from limbeck.guide.codec import decode, encode
from limbeck.guide.spec import FeatureSpec, LogitsSpec, SampledSpec, SignalSpec, TopKSpec
from limbeck.objectives import SoftTargets

FLOAT16 = 1e-3


def numbers(n, start=0):
    return np.arange(start, start + n, dtype=np.int64)


def there_and_back(logits, output, ids=None, views=None):
    ids = numbers(len(logits)) if ids is None else ids
    spec = SignalSpec(output)
    arrays = encode(Signals(logits=logits), ids, np.zeros_like(ids) if views is None else views, spec)
    return decode(arrays, spec)


def random_logits(n, classes, seed=0, scale=5.0):
    return scale * torch.randn(n, classes, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
        min_size=1,
        max_size=5,
    )
)
def test_float32_keeps_every_bit(rows):
    logits = torch.tensor(rows, dtype=torch.float32)
    back = there_and_back(logits, LogitsSpec()).logits
    assert torch.equal(back.view(torch.int32), logits.view(torch.int32))


def one_step(student, teacher, temperature):
    """Loss and gradient of one step on these targets."""
    student = student.clone().requires_grad_()
    loss = SoftTargets(temperature=temperature)(student, teacher)
    loss.backward()
    return loss.detach(), student.grad


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 10.0])
@pytest.mark.parametrize("scale", [0.1, 5.0, 30.0])
@pytest.mark.parametrize("offset", [0.0, 500.0])
def test_float16_changes_one_step_by_less_than_a_thousandth(temperature, scale, offset):
    teacher = random_logits(256, 100, scale=scale) + offset
    student = random_logits(256, 100, seed=1, scale=scale)
    stored = there_and_back(teacher, LogitsSpec("float16")).logits
    (loss, gradient), (near, close) = (one_step(student, targets, temperature) for targets in (teacher, stored))
    assert abs(near - loss) <= FLOAT16 * loss
    assert (close - gradient).norm() <= FLOAT16 * gradient.norm()


def test_float16_survives_what_it_cannot_hold():
    back = there_and_back(torch.tensor([[0.0, -1e9, 3e5]]), LogitsSpec("float16")).logits
    assert torch.isfinite(back).all()
    assert torch.equal(back.softmax(1), torch.tensor([[0.0, 0.0, 1.0]]))


@settings(deadline=None, max_examples=30)
@given(k=st.integers(1, 12), seed=st.integers(0, 99))
def test_top_and_tail_are_the_whole(k, seed):
    logits, temperatures = random_logits(7, 12, seed), (0.5, 1.0, 3.0)
    top = there_and_back(logits, TopKSpec(k, temperatures)).top
    assert top.temperatures == temperatures
    for column, t in enumerate(temperatures):
        named = torch.logsumexp(top.logits / t, dim=1)
        whole = torch.logaddexp(named, top.tail[:, column])
        assert torch.allclose(whole, torch.logsumexp(logits / t, dim=1), atol=2e-2 / t)
    assert torch.isinf(top.tail).all() == (k == 12)


def test_top_k_by_hand():
    top = there_and_back(torch.tensor([[1.0, 4.0, 4.0, -2.0]]), TopKSpec(3, (2.0,))).top
    assert top.index.tolist() == [[1, 2, 0]]
    assert top.logits.tolist() == [[4.0, 4.0, 1.0]]
    assert top.tail.tolist() == [[-1.0]]


def test_the_row_of_a_tie_does_not_depend_on_the_batch():
    logits = torch.tensor([[1.0, 1.0, 1.0, 0.0]]).repeat(5, 1)
    alone, among = there_and_back(logits[:1], TopKSpec(3)).top, there_and_back(logits, TopKSpec(3)).top
    assert alone.index.tolist()[0] == among.index.tolist()[3] == [0, 1, 2]


@pytest.mark.parametrize("output", [TopKSpec(4), SampledSpec(4)])
def test_indices_beyond_sixteen_bits(output):
    """TinyViT stored int16, Megatron overflows above 131,072: a class of a large vocabulary must come back itself."""
    logits = torch.zeros(2, 200_000)
    logits[0, 131_072], logits[1, 199_999] = 60.0, 60.0
    signals = there_and_back(logits, output)
    index = signals.top.index if signals.top is not None else signals.sampled.index
    assert index[:, 0].tolist() == [131_072, 199_999]


def test_draws_follow_from_id_and_view_alone():
    logits = random_logits(40, 6, scale=1.0)
    ids, views = numbers(40, 1000), numbers(40) % 3
    whole = there_and_back(logits, SampledSpec(9), ids, views).sampled.index
    order = np.random.default_rng(0).permutation(40)[:11]
    part = there_and_back(logits[order], SampledSpec(9), ids[order], views[order]).sampled.index
    assert torch.equal(part, whole[order])
    again = there_and_back(logits, SampledSpec(9), ids, views + 1).sampled.index
    other = there_and_back(logits, SampledSpec(9, seed=1), ids, views).sampled.index
    assert not torch.equal(again, whole)
    assert not torch.equal(other, whole)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 3.0])
def test_draws_have_the_teachers_distribution(temperature):
    logits = torch.tensor([[2.0, 0.0, -1.0, 1.0]])
    drawn = there_and_back(logits.repeat(4000, 1), SampledSpec(25, temperature)).sampled
    p = (logits[0].double() / temperature).softmax(0)
    share = torch.bincount(drawn.index.flatten(), minlength=4) / drawn.index.numel()
    assert torch.allclose(share.double(), p, atol=4 * 0.5 / drawn.index.numel() ** 0.5)
    entropy = -(p * p.log()).sum()
    assert torch.allclose(drawn.entropy.double(), entropy.expand(4000), atol=1e-6)


def test_classes_without_probability_are_never_drawn():
    logits = torch.tensor([[-1e30, 0.0, -1e30, 0.0, -1e30]]).repeat(200, 1)
    drawn = there_and_back(logits, SampledSpec(20)).sampled
    assert set(drawn.index.flatten().tolist()) == {1, 3}
    assert torch.isfinite(drawn.entropy).all()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2**-11), ("int8", 0.5 / 127 + 1e-6)])
@pytest.mark.parametrize("shape", [(), (7,), (3, 4, 4)])
def test_features(dtype, tolerance, shape):
    values = torch.randn(6, *shape, generator=torch.Generator().manual_seed(0)) * 10
    values[2] = 0
    spec = SignalSpec(None, {"stem": FeatureSpec(dtype, shape)})
    back = decode(encode(Signals(features={"stem": values}), numbers(6), numbers(6), spec), spec).features["stem"]
    largest = values.abs().reshape(6, -1).amax(1).view(-1, *(1,) * len(shape))
    assert back.shape == values.shape
    assert ((back - values).abs() <= tolerance * largest + 1e-7).all()
    assert not back[2].any()


def test_what_is_not_finite_is_refused():
    logits = random_logits(5, 4)
    logits[3, 1] = torch.nan
    for output in (LogitsSpec(), LogitsSpec("float16"), TopKSpec(2), SampledSpec(2)):
        with pytest.raises(NonFiniteError, match=r"example 13, view 3"):
            there_and_back(logits, output, numbers(5, 10), numbers(5))


def test_finite_rows_whose_sum_is_not():
    logits = torch.full((2, 4), 3e38)
    assert torch.equal(there_and_back(logits, LogitsSpec()).logits, logits)


def test_what_the_teacher_does_not_give():
    spec = SignalSpec(None, {"stem": FeatureSpec("float16", (2,))})
    with pytest.raises(ModelError, match="no features at 'stem'"):
        encode(Signals(logits=torch.zeros(1, 2)), numbers(1), numbers(1), spec)
    with pytest.raises(ModelError, match="gave none"):
        encode(Signals(), numbers(1), numbers(1), SignalSpec())
    with pytest.raises(ModelError, match="int8"):
        encode(Signals(features={"stem": torch.full((1, 2), 1e6)}), numbers(1), numbers(1), spec)
