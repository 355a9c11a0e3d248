"""One stage of training in one process: what the loop does at each step."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from limbeck.core.batch import Batch
from limbeck.core.protocols import Evaluate, Objective, SignalSource
from limbeck.core.runtime import Runtime
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.training import checkpoint, engine, nonfinite
from limbeck.training.checkpoint import Progress
from limbeck.training.optimiser import build_optimiser, learning_rate, set_learning_rate
from limbeck.training.settings import TrainSettings


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


class Sitting:
    """One stage in one process: the prepared model, its optimiser, and the clock."""

    def __init__(
        self,
        model: nn.Module,
        stage: Stage,
        *,
        end: int,
        runtime: Runtime,
        identity: str,
        path: Path | None,
        steps_per_epoch: float,
    ) -> None:
        self.model, self.stage, self.path, self.identity = model, stage, path, identity
        self.end, self.steps_per_epoch = end, steps_per_epoch
        assert isinstance(stage.objective, nn.Module), "objectives are modules: bridges and memories live in them"
        self.objective_module: nn.Module = stage.objective
        self.required = [parameter.requires_grad for parameter in model.parameters()]
        _choose(model, stage.trains)
        self.engine = engine.Engine(runtime, model, self.objective_module)
        self.optimiser: Optimizer = self.engine.prepare(build_optimiser([model, self.objective_module], stage.settings))
        self.clock = self.saved = time.monotonic()
        self.eval_steps = _evenly(stage.steps, stage.settings.evaluations)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What is saved: the student, and the objective with its bridges."""
        return {"model": self.model, "objective": self.objective_module}

    def resume(self, path: Path) -> Progress:
        """Loads the checkpoint; at a stage's first step only the student in it is of use."""
        boundary = checkpoint.peek(path).step == self.end - self.stage.steps and self.end > self.stage.steps
        modules = {"model": self.model} if boundary else self.modules
        optimiser = None if boundary else self.optimiser
        progress, scaler = checkpoint.load(path, identity=self.identity, modules=modules, optimiser=optimiser)
        self.engine.load_scaler(None if boundary else scaler)
        return progress

    def step(self, batch: Batch, teacher: SignalSource | None, progress: Progress) -> dict[str, float]:
        """One optimiser step; returns the weighted loss terms by name."""
        done = progress.step - (self.end - self.stage.steps)
        share = done / self.stage.steps
        self.model.train()
        set_learning_rate(self.optimiser, learning_rate(done, self.stage.steps, self.stage.settings))
        batch = batch.to(self.engine.device)
        said = None
        if self.stage.objective.needs_teacher(share):
            if teacher is None:
                raise ModelError("the objective listens to a teacher, but there is none; give one or use hard-labels")
            said = teacher.signals(batch)
        student = Signals(logits=self.engine.forward(batch.inputs))
        terms = self.stage.objective(student, said, batch, share)
        if not terms:
            raise ModelError(f"step {progress.step}: the objective gives no term here, so there is nothing to minimise")
        loss = torch.stack(list(terms.values())).sum() if len(terms) > 1 else next(iter(terms.values()))
        if not math.isfinite(loss.item()):
            folder = None if self.path is None else self.path.parent
            nonfinite.refuse(
                terms=terms,
                batch=batch,
                student=student,
                teacher=said,
                model=self.model,
                step=progress.step,
                folder=folder,
            )
        self.engine.descend(loss, self.optimiser, self.stage.settings.clip_norm)
        return _account(progress, terms)

    def look(self, progress: Progress, evaluate: Evaluate) -> None:
        """Adds a row to the history where it is time to."""
        if progress.step - (self.end - self.stage.steps) not in self.eval_steps:
            return
        values = {f"train/{name}": total / progress.count for name, total in progress.sums.items()}
        values |= evaluate(self.model)
        epoch = round(progress.step / self.steps_per_epoch, 4)
        progress.history.append({"step": progress.step, "epoch": epoch, "values": values})
        progress.sums, progress.count = {}, 0

    def save_if_due(self, progress: Progress) -> None:
        """Saves when the last checkpoint is old enough."""
        if time.monotonic() - self.saved >= self.stage.settings.checkpoint_seconds:
            self.save(progress)

    def save(self, progress: Progress) -> None:
        """Writes the checkpoint and counts the time; weights that are not finite are refused, not saved."""
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
        nonfinite.check_weights(self.model, progress.step)

    def close(self, progress: Progress) -> None:
        """Leaves a plain module in eval mode, with what was frozen before still frozen and nothing else."""
        self._tick(progress)
        self.engine.release(self.model)
        self.model.eval()
        for parameter, required in zip(self.model.parameters(), self.required, strict=True):
            parameter.requires_grad_(required)

    def _tick(self, progress: Progress) -> None:
        now = time.monotonic()
        progress.seconds += now - self.clock
        self.clock = now


def _account(progress: Progress, terms: Mapping[str, Tensor]) -> dict[str, float]:
    progress.step += 1
    progress.count += 1
    values: dict[str, float] = {name: value.item() for name, value in terms.items()}
    for name, value in values.items():
        progress.sums[name] = progress.sums.get(name, 0.0) + value
    return values


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
