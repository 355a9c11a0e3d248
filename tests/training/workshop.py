"""Small real trainings on digits that can be stopped anywhere: models, stages, and what is compared afterwards."""

import os
import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.core.runtime import Runtime
from limbeck.core.signals import Signals
from limbeck.data.digits import open_digits
from limbeck.data.loader import TrainingBatches, evaluation_batches
from limbeck.data.preprocess import Preprocess, PreprocessSpec
from limbeck.data.subset import Subset
from limbeck.data.view_ops import Noise, Shift
from limbeck.data.views import Views
from limbeck.measuring.evaluate import Evaluator
from limbeck.objectives import Decay, First, HardLabels, Needs, Objective, SoftTargets, as_sum
from limbeck.objectives.crd import CRD
from limbeck.objectives.gradient_attention import GradientAttention
from limbeck.objectives.hint import Hint
from limbeck.students.convnet import ConvNet
from limbeck.task import TASKS
from limbeck.teachers.live import LiveTeacher
from limbeck.training.loop import Trained, train
from limbeck.training.patience import Goal
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

CPU = Runtime("cpu", 1)
BATCH = 32
GOAL = Goal("val/accuracy", higher_is_better=True, tie="val/nll")
PIXELS = PreprocessSpec(scale=1 / 255, mean=(0.3,), std=(0.4,))


@cache
def digits(split: str = "train", count: int = 200):
    whole = open_digits(split, name=f"digits/{split}")
    return Subset(whole, np.arange(count))


def batches(seed: int = 0, views: Views | None = None) -> TrainingBatches:
    views = Views((Shift(1), Noise(10.0)), 5) if views is None else views
    return TrainingBatches(digits(), views=views, batch_size=BATCH, seed=seed)


def evaluate(model: nn.Module):
    return Evaluator(lambda: evaluation_batches(digits("test", 100), 50), TASKS["multiclass"])(model)


def mlp(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Dropout(0.2))
    return nn.Sequential(Preprocess(PIXELS), body, nn.Linear(24, 10))


def conv(seed: int = 0) -> nn.Sequential:
    """Four-dimensional weights, so channels-last; running statistics; dropout."""
    torch.manual_seed(seed)
    return nn.Sequential(Preprocess(PIXELS), nn.Dropout(0.1), ConvNet(inputs=(1, 8, 8), outputs=10, width=4, depth=2))


class Moody(nn.Module):
    """Draws from Python's and NumPy's global generators, as some users' layers do."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp(0)

    def forward(self, x: Tensor) -> Tensor:
        factor = 1 + 0.1 * random.random() + 0.1 * np.random.normal() if self.training else 1.0  # noqa: NPY002
        return factor * self.body(x)


class Bridged(Objective):
    """Compares logits through a trainable bridge, as objectives on features do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.bridge = nn.Linear(10, 10)
        self.register_buffer("seen", torch.zeros(1))

    def needs(self) -> Needs:
        return Needs(teacher=True)

    def terms(self, student, teacher, batch):
        self.seen.add_(len(batch))
        return {"bridged": (self.bridge(student.logits) - teacher.logits).square().mean()}


@cache
def teacher(*, input_gradient: bool = False) -> LiveTeacher:
    torch.manual_seed(11)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    digits = tuple("0123456789")
    return LiveTeacher(module, preprocess=PIXELS, classes=digits, taps=("2",), input_gradient=input_gradient)


def always(settings: TrainSettings | None = None, **values: Any) -> TrainSettings:
    """Saves at every step."""
    return replace(settings or TrainSettings(learning_rate=5e-3), checkpoint_seconds=0.0, **values)


def both(settings: TrainSettings, steps: int = 14) -> list[Stage]:
    return [Stage(0.7 * SoftTargets(2.0) + 0.3 * HardLabels(), steps, settings)]


JOBS: dict[str, tuple[Callable[[], nn.Module], Callable[[], list[Stage]]]] = {
    "adamw": (mlp, lambda: both(always(evaluations=4))),
    "sgd": (mlp, lambda: both(always(optimiser="sgd", learning_rate=0.05, evaluations=4))),
    "sgd without momentum": (mlp, lambda: both(always(optimiser="sgd", momentum=0.0, schedule="constant"))),
    "clipped, teacher at first": (
        mlp,
        lambda: [Stage(First(1.0, share=0.4) * SoftTargets() + HardLabels(0.1), 14, always(clip_norm=0.5))],
    ),
    "conv": (conv, lambda: both(always(evaluations=3))),
    "moody": (Moody, lambda: both(always(evaluations=3))),
    "bridge": (mlp, lambda: [Stage(Bridged() + HardLabels(), 14, always(evaluations=3))]),
    "in pieces, clipped": (
        conv,
        lambda: [Stage(0.7 * SoftTargets(2.0) + HardLabels(0.1), 14, always(accumulate=3, clip_norm=0.5))],
    ),
    "averaged": (conv, lambda: both(always(ema=0.8, evaluations=4))),
    "best of averages": (mlp, lambda: both(always(ema=0.7, patience=9, evaluations=7, schedule="step"))),
    "averages in two stages": (
        conv,
        lambda: [
            Stage(as_sum(HardLabels()), 6, always(evaluations=2, ema=0.6)),
            Stage(as_sum(SoftTargets(3.0)), 8, always(evaluations=4, ema=0.9, patience=4, schedule="linear")),
        ],
    ),
    "a hint, then answers": (
        mlp,
        lambda: [
            Stage(as_sum(Hint("1.2", "2", "mean-square")), 6, always(evaluations=2)),
            Stage(0.7 * SoftTargets(2.0) + 0.3 * HardLabels(), 8, always(evaluations=3)),
        ],
    ),
    "remembered activations": (
        mlp,
        lambda: [Stage(0.5 * CRD("1.2", "2", width=8, memory=40) + HardLabels(), 14, always(evaluations=3))],
    ),
    "balanced": (
        mlp,
        lambda: [
            Stage(3 * Hint("1.2", "2") + HardLabels(), 14, always(evaluations=3, balance=True, gradient_shares=True))
        ],
    ),
    "gradients": (mlp, lambda: [Stage(0.01 * GradientAttention() + HardLabels(), 14, always(evaluations=3))]),
    "two stages": (
        conv,
        lambda: [
            Stage(as_sum(HardLabels()), 6, always(evaluations=2), trains=("2.body",)),
            Stage(Decay(1.0, 0.2) * SoftTargets(3.0) + Bridged(), 8, always(optimiser="sgd", evaluations=3)),
        ],
    ),
}
"""Name -> fresh model, fresh stages."""


@dataclass
class Outcome:
    weights: dict[str, Tensor]
    history: list[dict[str, Any]]
    objectives: list[dict[str, Tensor]] = field(repr=False)

    def differences(self, other: "Outcome") -> list[str]:
        """Names of what is not the same to the last bit."""
        pairs = {"student": (self.weights, other.weights), "objective": (self.objectives[-1], other.objectives[-1])}
        found = [
            f"{part} {name}"
            for part, (mine, its) in pairs.items()
            for name in mine.keys() | its.keys()
            if not same(name, mine, its)
        ]
        return found + (["history"] if self.history != other.history else [])


def same(name: str, one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return name in one and name in other and torch.equal(bits(one[name]), bits(other[name]))


def bits(tensor: Tensor) -> Tensor:
    """NaN and the sign of 0 count too."""
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def work(job: str, *, store: Path | None = None, seed: int = 0, source: Any = None, **others: Any) -> Outcome:
    """One call of `train`, as a process that starts anew would make it."""
    make, stages_of = JOBS[job]
    model, stages = make(), stages_of()
    done = run(model, stages, store=store, seed=seed, source=source, **others)
    objectives = [stage.objective.state_dict() for stage in stages]
    return Outcome(model.state_dict(), done.history, objectives)


def run(model: nn.Module, stages: Sequence[Stage], *, source: Any = None, **others: Any) -> Trained:
    reads_gradients = any(stage.objective.needs().input_gradient for stage in stages)
    arguments = {
        "goal": GOAL,
        "batches": batches() if source is None else source,
        "teacher": teacher(input_gradient=True) if reads_gradients else teacher(),
        "evaluate": evaluate,
        "runtime": CPU,
        "seed": 0,
        "identity": "the same",
        "steps_per_epoch": 200 / BATCH,
    } | others
    return train(model, stages, **arguments)


class Stopped(Exception):  # noqa: N818
    """The power went."""


@dataclass
class Stops:
    """Batches that do something before they first hand out the batch of certain steps (bridges ask for one too)."""

    at: dict[int, Callable[[], Any]]
    source: Any = field(default_factory=batches)

    def from_step(self, step: int):
        for number, batch in enumerate(self.source.from_step(step), start=step):
            if number in self.at:
                self.at.pop(number)()
            yield batch


def raises():
    raise Stopped


def terminates():
    os.kill(os.getpid(), signal.SIGTERM)


@dataclass
class Says:
    """A teacher that says what a function makes of the batch."""

    say: Callable[[Any], Tensor]
    asked: list[int] = field(default_factory=list)

    def signals(self, batch) -> Signals:
        self.asked.append(len(batch))
        return Signals(logits=self.say(batch))
