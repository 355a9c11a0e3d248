"""One stage of training in one process: what the loop does at each step."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from limbeck.core import processes
from limbeck.core.batch import Batch
from limbeck.core.identity import key_hash
from limbeck.core.protocols import Batches, Evaluate, Objective, SignalSource
from limbeck.core.runtime import Runtime
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.objectives.weighted import WeightedSum
from limbeck.training import accumulate, building, checkpoint, engine, gradients, loss_shares, nonfinite
from limbeck.training.asking import Asking
from limbeck.training.checkpoint import Progress
from limbeck.training.growing import Growing
from limbeck.training.kept import Kept, average
from limbeck.training.optimiser import build_optimiser, learning_rate, set_learning_rate
from limbeck.training.patience import Goal, best_step, waited
from limbeck.training.settings import TrainSettings
from limbeck.training.together import rows_of_all


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of training with one objective; FitNets has two, nearly everything else one.

    Attributes:
        objective: what is minimised; an `nn.Module` too, whose parameters (bridges) are trained with the student.
        steps: optimiser steps, at least 1.
        settings: each stage starts its own optimiser and schedule.
        trains: prefixes of the parameter names that are trained; `None` trains all that their owner has not frozen.
    """

    objective: Objective
    steps: int
    settings: TrainSettings
    trains: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """What all stages of one training share; see `loop.train`."""

    batches: Batches
    teacher: SignalSource | None
    runtime: Runtime
    seed: int
    identity: str
    path: Path | None
    steps_per_epoch: float


class Sitting:
    """One stage in one process: the prepared model, its optimiser, and the clock.

    Args:
        model: raw views in, logits out.
        stage: what to minimise, and how.
        course: what all stages share.
        end: the training's step after the stage.
        last: whether no stage follows.
        goal: what better means, for early stopping.
    """

    def __init__(
        self, model: nn.Module, stage: Stage, course: Course, *, end: int, last: bool, goal: Goal | None
    ) -> None:
        self.model, self.stage, self.course = model, stage, course
        self.path, self.identity, self.steps_per_epoch = course.path, course.identity, course.steps_per_epoch
        self.start, self.end = end - stage.steps, end
        self.rows, self.balanced, self.pulls = 0, False, dict[str, float]()
        assert isinstance(stage.objective, nn.Module), "objectives are modules: bridges and memories live in them"
        self.objective_module: nn.Module = stage.objective
        self.required = [parameter.requires_grad for parameter in model.parameters()]
        accumulate.check(stage.objective, stage.settings.accumulate)
        try:
            _choose(model, stage.trains)
            self._build(last=last)
            self.growing = course.teacher if isinstance(course.teacher, Growing) else None
            if self.growing is not None:
                _check_growing(stage.settings, alone=self.start == 0 and last)
                self.growing.begin(model, stage.objective, stage.settings, course.runtime)
            if stage.settings.balance:
                self._sum.start_balancing()
            self.engine = engine.Engine(course.runtime, model, self.objective_module, compiled=stage.settings.compile)
            self.optimiser: Optimizer = self.engine.prepare(
                build_optimiser([self.engine.trained, self.objective_module], stage.settings)
            )
            self.asking = Asking(self.engine, stage.objective.needs())  # last: nothing after it can leave its hooks on
        except BaseException:
            if hasattr(self, "engine"):
                self.engine.release(model)
            self._unfreeze()
            raise
        self.clock = self.saved = time.monotonic()
        self.asked = self.due = False
        self.eval_steps = _evenly(stage.steps, stage.settings.evaluations)
        self.average = None if stage.settings.ema is None else Kept(model)
        self.goal = goal if stage.settings.patience is not None else None
        self.best = None if self.goal is None else Kept(model)

    def _build(self, *, last: bool) -> None:
        """Bridges are made; what the objective never reaches is not trained, unless nothing would train it at all."""
        course, start = self.course, self.start
        unreached = building.build(
            self.stage.objective, self.model, lambda: next(iter(course.batches.from_step(start))), course.teacher,
            device=course.runtime.device, seed=key_hash(f"bridges {course.seed} {start}") % 2**63,
        )  # fmt: skip
        if last:
            building.refuse_untrained(unreached, self.stage.objective, self.model)
        for name, parameter in self.model.named_parameters():
            if name in unreached:
                parameter.requires_grad_(False)

    @property
    def _sum(self) -> WeightedSum:
        assert isinstance(self.stage.objective, WeightedSum), "only the terms of a sum can be weighed"
        return self.stage.objective

    @property
    def modules(self) -> dict[str, checkpoint.Stateful]:
        """What is saved: the student, the objective with its bridges, weights kept beside the student's, who grows."""
        kept: dict[str, checkpoint.Stateful | None] = {
            "average": self.average, "best": self.best, "growing": self.growing
        }  # fmt: skip
        own: dict[str, checkpoint.Stateful] = {"model": self.model, "objective": self.objective_module}
        return own | {name: weights for name, weights in kept.items() if weights is not None}

    def left(self, progress: Progress) -> int:
        """Steps to do; none where validation has shown no gain for as long as the settings wait."""
        patience = self.stage.settings.patience
        if self.goal is not None and patience is not None and waited(self._looks(progress), self.goal) >= patience:
            return 0
        return max(0, self.end - progress.step)

    def kept_step(self, progress: Progress) -> int:
        """The step whose weights are kept."""
        return progress.step if self.goal is None else best_step(self._looks(progress), self.goal)

    def resume(self, path: Path) -> Progress:
        """Loads the checkpoint; at a stage's first step only the student in it is of use."""
        boundary = 0 < self.start == checkpoint.peek(path).step
        modules = {"model": self.model} if boundary else self.modules
        optimiser = None if boundary else self.optimiser
        progress, scaler = checkpoint.load(path, identity=self.identity, modules=modules, optimiser=optimiser)
        self.engine.load_scaler(None if boundary else scaler)
        if boundary and self.average is not None:
            self.average.take(self.model)
        if boundary and self.best is not None:
            self.best.take(self.model)
        self.engine.spread_again()
        return progress

    def step(self, batch: Batch, progress: Progress, *, stop: bool = False) -> dict[str, float]:
        """One optimiser step; returns the weighted loss terms by name.

        Args:
            batch: this process's rows.
            progress: moved on.
            stop: whether somebody asked this process to stop; if so, `asked` is true afterwards in all of them.

        Returns:
            Means over the rows of all processes.
        """
        settings, done = self.stage.settings, progress.step - self.start
        self.rows = len(batch) * processes.world()
        self.engine.trained.train()
        rate = learning_rate(done, self.stage.steps, settings)
        set_learning_rate(self.optimiser, rate)
        self.optimiser.zero_grad()
        values: dict[str, float] = {}
        for piece, shares in accumulate.pieces(batch, settings.accumulate, self.stage.objective):
            for name, value in self._learn(piece, shares, progress).items():
                values[name] = values.get(name, 0.0) + value.item()
        self.engine.descend(self.optimiser, settings.clip_norm)
        if self.growing is not None:
            self.growing.follow(self.model, rate, done)
        if self.average is not None and settings.ema is not None:
            self.engine.settle()
            average(self.average, self.model, decay=settings.ema, updates=done)
        return _account(progress, self._agreed(values, stop=stop))

    def _learn(self, batch: Batch, shares: Sequence[float] | None, progress: Progress) -> Mapping[str, Tensor]:
        """Adds the gradient of a batch, or a piece of one, to what is there; returns the loss terms."""
        share = (progress.step - self.start) / self.stage.steps
        batch = batch.to(self.engine.device)
        said = self._said(batch, share)
        student = self.asking.signals(batch)
        own, own_rows = student, batch
        if accumulate.couples(self.stage.objective):
            student, said, batch = rows_of_all(student), rows_of_all(said), rows_of_all(batch)
        if self.stage.settings.balance and progress.step == self.start and not self.balanced:
            gradients.balance(self._sum, self.engine.trained, student, said, batch, progress=share)
            self.balanced = True
        terms = self.stage.objective(student, said, batch, share, shares)
        if not terms:
            raise ModelError(f"step {progress.step}: the objective gives no term here, so there is nothing to minimise")
        loss = torch.stack(list(terms.values())).sum() if len(terms) > 1 else next(iter(terms.values()))
        if not math.isfinite(loss.item()):
            folder = None if self.path is None else self.path.parent
            nonfinite.refuse(
                terms=terms, batch=batch, student=student, teacher=said, model=self.model, step=progress.step,
                folder=folder,
            )  # fmt: skip
        if self.stage.settings.gradient_shares and progress.step + 1 - self.start in self.eval_steps:
            self.pulls = gradients.shares(terms, self.engine.trained)
        self.engine.backward(loss)
        if self.growing is not None:
            self.growing.learn(own, own_rows, share, shares)
        return terms

    def _said(self, batch: Batch, share: float) -> Signals | None:
        """What the teacher says, where the objective listens to it now; who grows is asked at every step, to learn."""
        hears, teacher = self.stage.objective.needs_teacher(share), self.course.teacher
        if hears and teacher is None:
            raise ModelError("the objective listens to a teacher, but there is none; give one or use hard-labels")
        said = teacher.signals(batch) if teacher is not None and (hears or self.growing is not None) else None
        return said if hears else None

    def _agreed(self, values: Mapping[str, float], *, stop: bool) -> dict[str, float]:
        """The terms over all processes, which at the same time agree on stopping and saving."""
        due = time.monotonic() - self.saved >= self.stage.settings.checkpoint_seconds
        *totals, stops, dues = processes.sums([*values.values(), stop, due and processes.is_main()])
        self.asked, self.due = stops > 0, dues > 0
        return {name: total / processes.world() for name, total in zip(values, totals, strict=True)}

    def look(self, progress: Progress, evaluate: Evaluate) -> bool:
        """Adds a row to the history where it is time to; at the last one, the student becomes what is kept of it."""
        if progress.step - self.start not in self.eval_steps:
            return False
        terms = {name: total / progress.count for name, total in progress.sums.items()}
        values = {f"train/{name}": value for name, value in (terms | loss_shares.logged(terms) | self.pulls).items()}
        self.engine.settle()
        epoch = round(progress.step / self.steps_per_epoch, 4)
        with nullcontext() if self.average is None else self.average.lent(self.model):
            values |= evaluate(self.model)
            self.asking.forget()
            progress.history.append({"step": progress.step, "epoch": epoch, "values": values})
            if self.best is not None and self.kept_step(progress) == progress.step:
                self.best.take(self.model)
        progress.sums, progress.count = {}, 0
        final = self.best or self.average
        if final is not None and not self.left(progress):
            final.give(self.model)
            self.engine.spread_again()
        return True

    def _looks(self, progress: Progress) -> list[dict[str, Any]]:
        """Those of this stage."""
        return [row for row in progress.history if row["step"] > self.start]

    def save_if_due(self, progress: Progress) -> None:
        """Saves when the last checkpoint is old enough."""
        alone = processes.world() == 1
        if time.monotonic() - self.saved >= self.stage.settings.checkpoint_seconds if alone else self.due:
            self.save(progress)

    def save(self, progress: Progress) -> None:
        """Writes the checkpoint and counts the time; weights that are not finite are refused, not saved."""
        self.engine.settle()
        nonfinite.check_weights(self.model, progress.step)
        self._tick(progress)
        self.saved = self.clock
        if self.path is not None:
            checkpoint.save(
                self.path, identity=self.identity, progress=progress, modules=self.modules,
                optimiser=self.optimiser, scaler=self.engine.scaler(),
            )  # fmt: skip

    def finish(self, progress: Progress) -> None:
        """The last look at what was trained; the loss has only vouched for all steps but the last."""
        self.engine.settle()
        nonfinite.check_weights(self.model, progress.step)

    def close(self, progress: Progress) -> None:
        """Leaves a plain module in eval mode, with what was frozen before still frozen and nothing else."""
        self._tick(progress)
        self.asking.close()
        self.engine.release(self.model)
        if self.growing is not None:
            self.growing.close()
        self.model.eval()
        self._unfreeze()

    def _unfreeze(self) -> None:
        for parameter, required in zip(self.model.parameters(), self.required, strict=True):
            parameter.requires_grad_(required)

    def _tick(self, progress: Progress) -> None:
        now = time.monotonic()
        progress.seconds += now - self.clock
        self.clock = now


def _account(progress: Progress, values: dict[str, float]) -> dict[str, float]:
    progress.step += 1
    progress.count += 1
    for name, value in values.items():
        progress.sums[name] = progress.sums.get(name, 0.0) + value
    return values


def _check_growing(settings: TrainSettings, *, alone: bool) -> None:
    """What a teacher that grows with the student does not go with."""
    if not alone:
        raise ModelError("a teacher that grows with the student has one stage; leave the earlier ones out")
    if settings.balance:
        raise ModelError("train.balance weighs terms at the first step, when a teacher that grows knows nothing yet")


def _choose(model: nn.Module, trains: tuple[str, ...] | None) -> None:
    """Freezes what the stage does not train; what its owner froze stays so."""
    names = [name for name, _ in model.named_parameters()]
    for prefix in trains or ():
        if not any(name.startswith(prefix) for name in names):
            known = ", ".join(dict.fromkeys(name.partition(".")[0] for name in names))
            raise ModelError(f"trains: no parameter begins with {prefix!r}; the student has {known}")
    for name, parameter in model.named_parameters():
        if trains is not None and not name.startswith(trains):
            parameter.requires_grad_(False)


def _evenly(steps: int, times: int) -> frozenset[int]:
    """`times` whole numbers in 1..steps, evenly spaced, `steps` among them."""
    return frozenset(round(steps * (n + 1) / times) for n in range(times)) - {0} | {steps}
