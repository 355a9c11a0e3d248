"""Small trainings that one process and several must end alike: no dropout, whose draws are each process's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.core.runtime import Runtime
from limbeck.data.loader import TrainingBatches, evaluation_batches
from limbeck.data.preprocess import Preprocess
from limbeck.data.subset import Relabelled
from limbeck.data.view_ops import Shift
from limbeck.data.views import Views
from limbeck.measuring.evaluate import Evaluator
from limbeck.objectives import HardLabels, SoftTargets, as_sum
from limbeck.objectives.crd import CRD
from limbeck.objectives.gradient_attention import GradientAttention
from limbeck.objectives.hint import Hint
from limbeck.objectives.rkd_distance import RKDDistance
from limbeck.students.convnet import ConvNet
from limbeck.task import TASKS
from limbeck.training.growing import Growing
from limbeck.training.peers import Peers
from limbeck.training.self_teacher import SelfTeacher
from limbeck.training.sitting import Stage

from .workshop import PIXELS, Bridged, Outcome, always, conv, digits, run


def few_labels() -> Relabelled:
    """A quarter is labelled, so that of some batches one process has twice as many labels as the other."""
    source = digits()
    known = np.random.default_rng(0).random(len(source)) < 0.25
    return Relabelled(source, np.where(known, source.labels, -1).astype(np.int64), tuple("0123456789"))


def plain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(Preprocess(PIXELS), nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))


def normalised() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(Preprocess(PIXELS), ConvNet(inputs=(1, 8, 8), outputs=10, width=4, depth=2))


class Partial(nn.Module):
    """Not all parameters take part, and one layer counts."""

    def __init__(self) -> None:
        super().__init__()
        self.body = plain()
        self.idle = nn.Linear(3, 3)
        self.register_buffer("largest", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.largest.copy_(torch.maximum(self.largest, x.max()))
        return self.body(x)


def both(steps: int = 10, **settings: Any) -> list[Stage]:
    return [Stage(0.7 * SoftTargets(2.0) + 0.3 * HardLabels(), steps, always(evaluations=5, **settings))]


JOBS: dict[str, tuple[Callable[[], nn.Module], Callable[[], list[Stage]]]] = {
    "plain": (plain, both),
    "sgd, clipped": (plain, lambda: both(optimiser="sgd", learning_rate=0.05, clip_norm=0.5)),
    "normalised": (normalised, lambda: both(optimiser="sgd", learning_rate=0.05)),
    "bridge": (plain, lambda: [Stage(Bridged() + HardLabels(), 10, always(evaluations=2))]),
    "partial": (Partial, both),
    "in pieces, averaged": (plain, lambda: both(accumulate=3, ema=0.9)),
    "few labels": (plain, both),
    "rows compared": (plain, lambda: [Stage(RKDDistance() + 0.5 * HardLabels(), 10, always(evaluations=2))]),
    "hint, then answers": (
        plain,
        lambda: [
            Stage(as_sum(Hint("3", "2", "mean-square")), 5, always(learning_rate=5e-3)),
            Stage(0.7 * SoftTargets(2.0) + 0.3 * HardLabels(), 5, always(evaluations=2)),
        ],
    ),
    "remembered activations": (
        plain,
        lambda: [Stage(0.5 * CRD("3", "2", width=8, memory=40) + HardLabels(), 10, always(evaluations=2))],
    ),
    "balanced": (
        plain,
        lambda: [
            Stage(3 * Hint("3", "2") + HardLabels(), 10, always(evaluations=2, balance=True, gradient_shares=True))
        ],
    ),
    "gradients": (plain, lambda: [Stage(0.01 * GradientAttention() + HardLabels(), 10, always(evaluations=2))]),
    "fsdp, hint": (plain, lambda: [Stage(Hint("3", "2", "mean-square") + HardLabels(), 10, always(evaluations=2))]),
    "two stages": (
        normalised,
        lambda: [
            Stage(as_sum(HardLabels()), 5, always(optimiser="sgd", learning_rate=0.05), trains=("1.body",)),
            Stage(SoftTargets(3.0) + Bridged(), 5, always(optimiser="sgd", learning_rate=0.02, evaluations=2)),
        ],
    ),
    "peers": (normalised, lambda: both(optimiser="sgd", learning_rate=0.05, clip_norm=0.5)),
    "average teaches": (normalised, lambda: both(optimiser="sgd", learning_rate=0.05)),
    "fsdp": (plain, lambda: both(clip_norm=0.5, ema=0.9)),
    "bf16, normalised": (normalised, lambda: both(optimiser="sgd", learning_rate=0.05)),
    "fsdp, bf16": (plain, lambda: both(optimiser="sgd", learning_rate=0.05)),
    "fsdp, normalised": (normalised, lambda: both(optimiser="sgd", learning_rate=0.05)),
    "fsdp, lent in eval mode": (lambda: normalised().eval(), lambda: both(optimiser="sgd", learning_rate=0.05)),
}
"""Name -> fresh model, fresh stages, which one and two processes end alike.

Adam divides by gradients that are almost 0, which makes much of last digits: with batch normalisation, whose sums run
otherwise in two processes, SGD shows better whether all else is the same.
"""


GROWN: dict[str, Callable[[], Growing]] = {
    "peers": lambda: Peers([_other(number) for number in (1, 2)]),
    "average teaches": lambda: SelfTeacher(0.8),
}
"""Jobs whose teacher grows with the student."""


def _other(seed: int) -> nn.Sequential:
    model = normalised()
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()
    return model


OWN_DRAWS = {"dropout": (conv, both)}
"""Jobs that draw at random, each process for its own rows, so that two processes are not one."""


def train_job(
    name: str, rank: int = 0, world: int = 1, *, disturbed: Callable[[Any], Any] = lambda source: source,
    store: Path | None = None, device: str = "cpu",
) -> Outcome:  # fmt: skip
    """What one of `world` processes does."""
    make, stages_of = (JOBS | OWN_DRAWS)[name]
    model, stages = make(), stages_of()

    source = few_labels() if name == "few labels" else digits()

    def held_out():
        return evaluation_batches(digits("test", 90), 20, rank=rank, world=world)

    done = run(
        model,
        stages,
        **({"teacher": GROWN[name]()} if name in GROWN else {}),
        source=disturbed(
            TrainingBatches(source, views=Views((Shift(1),), 5), batch_size=32, seed=0, rank=rank, world=world)
        ),
        evaluate=Evaluator(held_out, TASKS["multiclass"]),
        runtime=Runtime(device, 1, "bf16" if "bf16" in name else "no", "fsdp" if name.startswith("fsdp") else "ddp"),
        store=store,
    )
    return Outcome(model.to("cpu").state_dict(), done.history, [stage.objective.state_dict() for stage in stages])
