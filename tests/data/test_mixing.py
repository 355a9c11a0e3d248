"""Mixup and CutMix: laws of the blend, and that a mixed view depends on what it says it depends on."""

import numpy as np
import pytest
import torch

from limbeck.core.batch import Batch, Mix
from limbeck.core.signals import Signals
from limbeck.data.draws import Draws, streams
from limbeck.data.loader import TrainingBatches
from limbeck.data.memory import from_arrays
from limbeck.data.mixing import CutMix, Mixup, partner_ranks
from limbeck.data.viewed import Viewed
from limbeck.data.views import Views, op_named
from limbeck.errors import InputError
from limbeck.objectives import HardLabels


@pytest.fixture(scope="module")
def source():
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    return from_arrays(x, np.arange(40) % 4, name="mixed/train", classes=("a", "b", "c", "d"))


def draws(rows: int) -> Draws:
    return Draws(streams(0, np.arange(rows), np.zeros(rows, np.int64)), 0)


@pytest.mark.parametrize("op", [Mixup(), Mixup(alpha=0.2), CutMix(), CutMix(alpha=0.3)])
def test_the_share_says_how_much_of_a_row_is_its_own(op):
    ones, zeros = torch.full((500, 1, 8, 8), 200.0), torch.zeros(500, 1, 8, 8)
    mixed, share = op.blend(ones, zeros, draws(500))
    np.testing.assert_allclose(mixed.mean(dim=(1, 2, 3)).numpy() / 200, share, atol=1e-5)
    assert share.min() >= 0
    assert share.max() <= 1
    low, high = (0.4, 0.6) if isinstance(op, Mixup) else (0.5, 0.8)  # rectangles are cut at the border
    assert low < share.mean() < high


def test_mixup_with_itself_changes_nothing_and_p_zero_never_mixes():
    x = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(Mixup().blend(x, x, draws(20))[0], x.float())
    mixed, share = Mixup(p=0.0).blend(x, x.flip(0), draws(20))
    assert torch.equal(mixed, x.float())
    assert (share == 1).all()
    cut, _ = CutMix().blend(x, x.flip(0), draws(20))
    assert cut.dtype == torch.uint8


def test_a_share_from_beta_has_its_mean_and_variance():
    share = Mixup(alpha=0.4).blend(torch.zeros(20_000, 1), torch.zeros(20_000, 1), draws(20_000))[1]
    assert abs(share.mean() - 0.5) < 0.01
    assert abs(share.var() - 1 / (4 * (2 * 0.4 + 1))) < 0.005


def test_partners_are_spread_over_all_examples():
    ranks = partner_ranks(draws(40_000), 40)
    counts = np.bincount(ranks, minlength=40)
    assert counts.min() > 800
    assert counts.max() < 1200


def test_a_mixed_view_depends_on_id_and_view_not_on_company_or_order(source):
    views = Views((op_named("shift", pixels=1), op_named("mixup")), seed=3)
    viewed = Viewed(source, views)
    rows, numbers = np.arange(40), np.full(40, 2)
    whole = viewed.batch(viewed.read(rows, numbers))
    for row in (0, 17, 39):
        alone = viewed.batch(viewed.read(np.array([row]), np.array([2])))
        assert torch.equal(alone.inputs[0], whole.inputs[row])
        assert alone.mix is not None
        assert whole.mix is not None
        assert alone.mix.share[0] == whole.mix.share[row]
    back = viewed.batch(viewed.read(rows[::-1].copy(), numbers))
    assert torch.equal(back.inputs.flip(0), whole.inputs)


def test_the_order_of_the_source_does_not_choose_the_partner(source):
    from limbeck.data.subset import Subset

    views = Views((op_named("mixup"),))
    turned = Subset(source, np.arange(40)[::-1].copy())
    one = Viewed(source, views).read(np.arange(40), np.zeros(40, np.int64))
    other = Viewed(turned, views).read(np.arange(40)[::-1].copy(), np.zeros(40, np.int64))
    assert one.partners is not None
    assert other.partners is not None
    np.testing.assert_array_equal(source.ids[one.partners], turned.ids[other.partners])


def test_training_batches_mix_inputs_and_labels_alike(source):
    batch = next(TrainingBatches(source, views=Views((op_named("mixup"),)), batch_size=16, seed=0).from_step(0))
    assert batch.mix is not None
    by_id = {int(i): row for row, i in enumerate(source.ids)}
    rows = np.array([by_id[int(i)] for i in batch.ids])
    raw = torch.from_numpy(source.read(rows)).float()
    share = batch.mix.share.view(-1, 1, 1, 1)
    partner = (batch.inputs - share * raw) / (1 - share)
    everything = torch.from_numpy(source.read(np.arange(40))).float()
    found = torch.cdist(partner.flatten(1), everything.flatten(1)).argmin(1)
    clear = batch.mix.share < 0.95
    assert torch.equal(torch.from_numpy(source.labels.astype(np.int64))[found][clear], batch.mix.target[clear])


def test_hard_labels_mix_the_cross_entropies():
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    target, other = torch.arange(6) % 4, (torch.arange(6) + 1) % 4
    share = torch.linspace(0, 1, 6)
    batch = Batch(torch.arange(6), torch.zeros(6, dtype=torch.long), logits, target, mix=Mix(share, other))
    value = HardLabels().terms(Signals(logits=logits), None, batch)["hard-labels"]
    log_p = torch.log_softmax(logits, 1)
    soft = torch.zeros(6, 4)
    soft[torch.arange(6), target] += share
    soft[torch.arange(6), other] += 1 - share
    torch.testing.assert_close(value, -(soft * log_p).sum(1).mean())


def test_a_row_counts_only_where_both_are_labelled():
    logits, target = torch.randn(3, 4), torch.zeros(3, dtype=torch.long)
    masks = torch.tensor([True, True, False]), torch.tensor([True, False, True])
    batch = Batch(
        torch.arange(3), torch.zeros(3, dtype=torch.long), logits, target, masks[0],
        mix=Mix(torch.full((3,), 0.5), target, masks[1]),
    )  # fmt: skip
    value = HardLabels().terms(Signals(logits=logits), None, batch)["hard-labels"]
    torch.testing.assert_close(value, -torch.log_softmax(logits, 1)[0, 0])


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(InputError, match="must be the last op"):
        Views((op_named("mixup"), op_named("shift")))
    with pytest.raises(InputError, match="alpha"):
        op_named("mixup", alpha=0)
    with pytest.raises(InputError, match="cutmix takes images"):
        CutMix().blend(torch.zeros(2, 5), torch.zeros(2, 5), draws(2))


def test_the_fingerprint_knows_the_mixing():
    prints = {Views(ops).fingerprint() for ops in ((), (Mixup(),), (Mixup(alpha=0.5),), (CutMix(),))}
    assert len(prints) == 4


def test_a_row_that_was_left_alone_needs_no_label_of_a_partner():
    logits, target = torch.randn(2, 4), torch.zeros(2, dtype=torch.long)
    batch = Batch(
        torch.arange(2), torch.zeros(2, dtype=torch.long), logits, target, torch.tensor([True, True]),
        mix=Mix(torch.tensor([1.0, 0.5]), target, torch.tensor([False, False])),
    )  # fmt: skip
    value = HardLabels().terms(Signals(logits=logits), None, batch)["hard-labels"]
    torch.testing.assert_close(value, -torch.log_softmax(logits, 1)[0, 0])
