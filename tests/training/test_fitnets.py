"""`preset: fitnets` trains as the paper says: its two losses, what each stage moves, what is left of the regressor."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from limbeck import recipe
from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.runs.arms import earlier, student_arm
from limbeck.runs.given import Given
from limbeck.training.sitting import Stage

from .workshop import always, mlp, run

T, START, END, SHARE = 3.0, 4.0, 1.0, 0.25
PRESET = {"name": "fitnets", "student": "1.2", "teacher": "2"}
ROWS, CLASSES = 6, 10


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


LOGITS, TEACHER, LABELS = drawn(ROWS, CLASSES), drawn(ROWS, CLASSES, seed=1), torch.arange(ROWS)
BATCH = Batch(torch.arange(ROWS), torch.zeros(ROWS, dtype=torch.int64), torch.zeros(ROWS, 1), target=LABELS)


@pytest.fixture
def parts():
    """Both stages' objectives, and the first one's share, of a recipe that says no more than the preset."""
    made = recipe.from_mapping({"data": {"train": "digits"}, "teacher": "given", "preset": PRESET})
    (first,) = earlier(made)
    arm = student_arm(made, Given(), SimpleNamespace(transfer=None, labelled=None))
    return SimpleNamespace(first=first.objective, share=first.share, second=arm.objective({}))


def test_the_first_stage_is_half_the_squared_error_summed_over_the_layer(parts):
    student, teacher = drawn(ROWS, 24).requires_grad_(), drawn(ROWS, 48, seed=2)
    parts.first.build({"1.2": (24,)}, {"2": (48,)})
    parts.first.double()
    (term,) = parts.first(Signals(features={"1.2": student}), Signals(features={"2": teacher}), BATCH, 0.5).values()
    weight, bias = parts.first.parameters()
    rows = [0.5 * ((weight @ student[r] + bias - teacher[r]) ** 2).sum() for r in range(ROWS)]
    assert torch.allclose(term, sum(rows) / ROWS)
    assert parts.share == SHARE


@pytest.mark.parametrize("progress", [0.0, 0.25, 0.9])
def test_the_second_stage_has_the_papers_gradient(parts, progress):
    """`H(y, p_s) + lambda H(p_t, p_s)` at T, without `T^2`; ours is less by lambda times the teacher's entropy."""
    decayed = START + (END - START) * progress

    def of_ours(logits):
        return torch.stack(list(parts.second(Signals(logits), Signals(TEACHER), BATCH, progress).values())).sum()

    def of_theirs(logits):
        soft = -(torch.softmax(TEACHER / T, 1) * torch.log_softmax(logits / T, 1)).sum(1).mean()
        return F.cross_entropy(logits, LABELS) + decayed * soft

    found = []
    for of in (of_ours, of_theirs):
        logits = LOGITS.clone().requires_grad_()
        value = of(logits)
        found.append((value.detach(), *torch.autograd.grad(value, logits)))
    (ours, slope), (theirs, their_slope) = found
    assert torch.allclose(slope, their_slope, rtol=1e-10, atol=1e-12)
    p = torch.softmax(TEACHER / T, 1)
    assert torch.allclose(theirs - ours, decayed * -(p * p.log()).sum(1).mean())


def test_each_stage_moves_what_the_paper_says(parts):
    """First the lower part and the regressor; then all of the student, and the regressor is gone."""
    model = mlp()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run(
        model,
        [
            Stage(parts.first, 3, always(evaluations=1)),
            Stage(parts.second, 1, always(evaluations=1, learning_rate=1e-9)),
        ],
    )
    after = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert after.keys() == before.keys()
    moved = {name for name in before if not torch.allclose(before[name], after[name], atol=1e-6)}
    assert moved == {"1.1.weight", "1.1.bias"}
    assert sum(p.numel() for p in parts.first.parameters()) == 48 * 24 + 48
    assert list(parts.second.parameters()) == []
    run(model, [Stage(parts.second, 3, always(evaluations=1))])
    last = model.state_dict()
    assert all(not torch.equal(after[name], last[name]) for name in after if name.endswith(("weight", "bias")))
