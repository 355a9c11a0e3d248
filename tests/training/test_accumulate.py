"""A batch in pieces: the loss and its gradient are those of the whole batch."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from limbeck.core.batch import Batch, Mix
from limbeck.core.signals import Signals
from limbeck.errors import RecipeError
from limbeck.objectives import First, HardLabels, SoftTargets, TeacherLabels, as_sum
from limbeck.training.accumulate import pieces
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

from .workshop import BATCH, Says, always, batches, both, mlp, run

CLASSES = 4
OBJECTIVES = {
    "labels": as_sum(HardLabels(0.1)),
    "soft targets": as_sum(SoftTargets(2.0)),
    "mixture": 0.3 * SoftTargets(3.0) + 0.6 * HardLabels() + TeacherLabels(),
    "scheduled": First(2.0, share=0.5) * SoftTargets() + HardLabels(),
}


def batch_of(rows, seed, *, masked=True, weighted=True, mixed=False):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.rand(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    mix = None
    if mixed:
        target = torch.randint(0, CLASSES, (rows,), generator=generator)
        share = torch.where(draw(rows) < 0.3, 1.0, draw(rows))
        mix = Mix(share, target, draw(rows) < 0.7 if masked else None)
    return Batch(
        ids=torch.arange(rows),
        views=torch.zeros(rows, dtype=torch.int64),
        inputs=draw(rows, 3),
        target=torch.randint(0, CLASSES, (rows,), generator=generator),
        target_mask=draw(rows) < 0.4 if masked else None,
        weight=torch.where(draw(rows) < 0.2, 0.0, draw(rows)) if weighted else None,
        mix=mix,
    )


def student():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, CLASSES)).double()


def gradient(batch, count, objective, progress=0.2):
    model = student()
    torch.manual_seed(1)
    said = nn.Linear(3, CLASSES).double()
    total = {}
    for piece, shares in pieces(batch, count, objective):
        teacher = Signals(logits=said(piece.inputs).detach())
        terms = objective(Signals(logits=model(piece.inputs)), teacher, piece, progress, shares)
        sum(terms.values()).backward()
        for name, value in terms.items():
            total[name] = total.get(name, 0.0) + value.item()
    return total, [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize("name", OBJECTIVES)
@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 20), count=st.integers(1, 25), seed=st.integers(0, 99),
    masked=st.booleans(), weighted=st.booleans(), mixed=st.booleans(),
)  # fmt: skip
def test_the_gradient_is_that_of_the_whole_batch(name, rows, count, seed, masked, weighted, mixed):
    """Whatever is labelled, weighted and mixed, and whichever piece it lies in."""
    batch = batch_of(rows, seed, masked=masked, weighted=weighted, mixed=mixed)
    whole, expected = gradient(batch, 1, OBJECTIVES[name])
    terms, found = gradient(batch, count, OBJECTIVES[name])
    assert terms.keys() == whole.keys()
    assert all(terms[key] == pytest.approx(whole[key], rel=1e-9, abs=1e-12) for key in whole)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@given(rows=st.integers(1, 60), count=st.integers(1, 70))
def test_pieces_are_equal_and_in_order(rows, count):
    found = [piece for piece, _ in pieces(batch_of(rows, 0), count, OBJECTIVES["labels"])]
    assert torch.equal(torch.cat([piece.ids for piece in found]), torch.arange(rows))
    sizes = [len(piece) for piece in found]
    assert len(sizes) == min(rows, count)
    assert max(sizes) - min(sizes) <= 1


def test_shares_are_shares():
    batch = batch_of(12, 3)
    found = [shares for _, shares in pieces(batch, 5, OBJECTIVES["mixture"])]
    assert [math.fsum(column) for column in zip(*found, strict=True)] == pytest.approx([1.0, 1.0, 1.0])
    assert [shares for _, shares in pieces(batch, 1, OBJECTIVES["mixture"])] == [None]


def test_inputs_by_name_are_cut_too():
    batch = Batch(torch.arange(6), torch.zeros(6, dtype=torch.int64), {"a": torch.arange(6), "b": torch.ones(6, 2)})
    found = [piece.inputs for piece, _ in pieces(batch, 2, OBJECTIVES["soft targets"])]
    assert [inputs["a"].tolist() for inputs in found] == [[0, 1, 2], [3, 4, 5]]
    assert {inputs["b"].shape for inputs in found} == {(3, 2)}


def plain():
    """No dropout and no normalisation: nothing in it notices who shares a pass."""
    model = mlp()
    model[1][3].p = 0.0
    return model.double()


def trained(**values):
    model = plain()
    done = run(model, both(TrainSettings(learning_rate=1e-2, evaluations=2, **values), 6), source=Double())
    return model.state_dict(), done.history


class Double:
    def from_step(self, step):
        from dataclasses import replace

        for batch in batches().from_step(step):
            yield replace(batch, inputs=batch.inputs.double())


@pytest.mark.parametrize("count", [2, 3, BATCH, 10 * BATCH])
@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_a_training_in_pieces_is_the_same_training(count, clip_norm):
    """Clipping sees the gradient of the whole batch, not a piece's."""
    whole, history = trained(clip_norm=clip_norm)
    found, other = trained(clip_norm=clip_norm, accumulate=count)
    for name, value in whole.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
    for one, two in zip(history, other, strict=True):
        assert two["values"]["train/soft-targets"] == pytest.approx(one["values"]["train/soft-targets"], rel=1e-4)


def test_the_teacher_and_the_student_see_one_piece_at_a_time():
    says, seen = Says(lambda batch: torch.zeros(len(batch), 10)), []

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp()

        def forward(self, x):
            if self.training:
                seen.append(len(x))
            return self.body(x)

    run(Watched(), [Stage(as_sum(SoftTargets()), 2, always(accumulate=4))], teacher=says)
    assert says.asked == [BATCH // 4] * 8
    assert seen == says.asked


def test_objectives_that_compare_examples_are_refused():
    class Relations(SoftTargets):
        couples_batch = True

    with pytest.raises(RecipeError, match="compares the examples of a batch"):
        run(mlp(), [Stage(as_sum(Relations()), 2, always(accumulate=2))])
    run(mlp(), [Stage(as_sum(Relations()), 2, always())])
