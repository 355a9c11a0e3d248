"""Batches: every example once a pass, any step a start, the ranks' shards one batch; and evaluation in order."""

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.data.loader import TrainingBatches, evaluation_batches, steps_for
from limbeck.data.memory import from_arrays
from limbeck.data.view_ops import Flip, Noise, Shift
from limbeck.data.views import Views
from limbeck.errors import DataError, InputError


def source_of(n, labels=None, name="numbers/train"):
    images = np.arange(n * 16, dtype=np.uint8).reshape(n, 4, 4)
    return from_arrays(images, np.arange(n) % 3 if labels is None else labels, name=name)


def batches_of(n, **settings):
    arguments = {"views": Views((Shift(1), Flip(), Noise()), 1), "batch_size": 8, "seed": 0} | settings
    return TrainingBatches(source_of(n), **arguments)


def take(batches, count, start=0):
    return list(islice(batches.from_step(start), count))


def same(one, other):
    return (
        torch.equal(one.ids, other.ids)
        and torch.equal(one.views, other.views)
        and torch.equal(one.inputs, other.inputs)
        and torch.equal(one.target, other.target)
    )


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.integers(0, 2**32))
def test_each_pass_holds_every_example_once(n, batch_size, seed):
    batches = batches_of(n, batch_size=batch_size, seed=seed)
    passes = 3
    drawn = take(batches, -(-passes * n // batch_size))
    assert all(len(batch) == batch_size for batch in drawn)
    ids, views = (torch.cat([getattr(batch, part) for batch in drawn])[: passes * n] for part in ("ids", "views"))
    for number in range(passes):
        mine = slice(number * n, (number + 1) * n)
        assert sorted(ids[mine].tolist()) == sorted(batches.source.ids.tolist())
        assert (views[mine] == number).all()


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 30), batch_size=st.integers(1, 40), step=st.integers(0, 25))
def test_continuing_is_as_if_never_stopped(n, batch_size, step):
    batches = batches_of(n, batch_size=batch_size)
    whole = take(batches, step + 3)
    assert all(same(*pair) for pair in zip(whole[step:], take(batches, 3, start=step), strict=True))


@pytest.mark.parametrize("world", [2, 4])
def test_the_ranks_share_one_global_batch(world):
    whole = take(batches_of(19), 6)
    shards = [take(batches_of(19, rank=rank, world=world), 6) for rank in range(world)]
    for step, batch in enumerate(whole):
        for rank in range(world):
            shard = shards[rank][step]
            assert len(shard) == 8 // world
            assert torch.equal(shard.ids, batch.ids[rank::world])
            assert torch.equal(shard.inputs, batch.inputs[rank::world])


def test_order_depends_on_the_training_seed_views_on_the_view_seed():
    views = Views((Noise(),), 1)
    one, other = (take(batches_of(8, seed=seed, views=views), 1)[0] for seed in (0, 1))
    assert not torch.equal(one.ids, other.ids)
    order = [one.ids.tolist().index(example) for example in other.ids.tolist()]
    assert torch.equal(one.inputs[order], other.inputs)
    reseeded = take(batches_of(8, views=Views((Noise(),), 2)), 1)[0]
    assert torch.equal(reseeded.ids, one.ids)
    assert not torch.equal(reseeded.inputs, one.inputs)


def test_a_count_of_views_comes_round_again():
    drawn = take(batches_of(8, views=Views((Noise(),), 0, 2)), 4)
    assert [int(batch.views[0]) for batch in drawn] == [0, 1, 0, 1]
    by_id = [batch.inputs[batch.ids.argsort()] for batch in drawn]
    assert torch.equal(by_id[0], by_id[2])
    assert not torch.equal(by_id[0], by_id[1])


def test_targets_are_the_labels_and_unknown_ones_are_masked():
    labels = np.array([2, -1, 0, 1, -1, 2])
    source = source_of(6, labels)
    batch = next(TrainingBatches(source, views=Views(), batch_size=6, seed=0).from_step(0))
    row_of = {int(example): row for row, example in enumerate(source.ids)}
    truth = torch.tensor([labels[row_of[example]] for example in batch.ids.tolist()])
    assert batch.target.dtype == torch.int64
    assert torch.equal(batch.target_mask, truth >= 0)
    assert torch.equal(batch.target, truth.clamp(min=0))
    assert next(TrainingBatches(source_of(6), views=Views(), batch_size=6, seed=0).from_step(0)).target_mask is None


def test_inputs_are_those_of_their_ids():
    source = source_of(10)
    batch = next(TrainingBatches(source, views=Views(), batch_size=25, seed=3).from_step(7))
    rows = np.array([source.ids.tolist().index(example) for example in batch.ids.tolist()])
    assert np.array_equal(batch.inputs.numpy(), source.read(rows))


def test_evaluation_is_in_order_raw_and_whole():
    source = source_of(10, np.array([0, 1, -1, 0, 1, 2, 0, 1, 2, 0]))
    drawn = list(evaluation_batches(source, 4))
    assert [len(batch) for batch in drawn] == [4, 4, 2]
    assert np.array_equal(torch.cat([batch.inputs for batch in drawn]).numpy(), source.read(np.arange(10)))
    assert torch.equal(torch.cat([batch.ids for batch in drawn]), torch.from_numpy(source.ids))
    assert (torch.cat([batch.views for batch in drawn]) == 0).all()
    assert torch.cat([batch.target_mask for batch in drawn]).sum() == 9


def test_batches_can_be_written_to_without_changing_the_source():
    source = source_of(4)
    before = source.fingerprint()
    for batch in (
        *evaluation_batches(source, 4),
        *take(TrainingBatches(source, views=Views(), batch_size=4, seed=0), 1),
    ):
        batch.inputs.zero_()
        batch.ids.zero_()
        batch.target.zero_()
    assert source_of(4).fingerprint() == before
    assert source.read(np.array([1])).any()
    assert source.ids.all()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 9, "world": 2}, "a multiple of 2"),
        ({"rank": 2, "world": 2}, "rank"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, named):
    with pytest.raises(InputError, match=named):
        batches_of(8, **settings)


def test_views_that_do_not_fit_are_refused_before_training():
    rows = from_arrays(np.zeros((4, 3), np.float32), None, name="rows")
    with pytest.raises(InputError, match="needs images"):
        TrainingBatches(rows, views=Views((Flip(),)), batch_size=2, seed=0)


def test_an_empty_source_is_refused():
    with pytest.raises(DataError, match="no examples"):
        batches_of(0)


@given(epochs=st.integers(1, 50), n=st.integers(1, 10**6), batch_size=st.integers(1, 4096))
def test_steps_cover_the_epochs_and_no_more(epochs, n, batch_size):
    steps = steps_for(epochs, n, batch_size)
    assert steps * batch_size >= epochs * n > (steps - 1) * batch_size


def test_steps_of_parts_of_an_epoch_are_exact():
    assert steps_for(0.1, 1000, 100) == 1
    assert steps_for(0.3, 1000, 100) == 3
    assert steps_for(1e-3, 1000, 100) == 1
