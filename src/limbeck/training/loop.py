"""The training loop, top to bottom. It knows no guide, no teacher's insides and no measurement."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from torch import nn

from limbeck.core import processes
from limbeck.core import progress as showing
from limbeck.core.interrupt import interruptible
from limbeck.core.protocols import Batches, Evaluate, Follow, SignalSource
from limbeck.core.runtime import Runtime, applied, seed_everything
from limbeck.errors import Interrupted
from limbeck.training import checkpoint
from limbeck.training.checkpoint import Progress
from limbeck.training.patience import Goal
from limbeck.training.shortage import refuse_shortage
from limbeck.training.sitting import Course, Sitting, Stage

_APART = 0x9E3779B1
"""Between the seeds of two processes, whose dropout must not be the same."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a finished training leaves beside the weights.

    Attributes:
        steps: optimiser steps.
        history: rows of `{"step", "epoch", "values": {name: number}}`.
        seconds: spent training, over all sittings.
        kept: the step whose weights the model has; less than `steps` where early stopping took earlier ones.
    """

    steps: int
    history: list[dict[str, Any]]
    seconds: float
    kept: int


def train(
    model: nn.Module,
    stages: Sequence[Stage],
    *,
    batches: Batches,
    teacher: SignalSource | None,
    evaluate: Evaluate,
    runtime: Runtime,
    seed: int,
    identity: str = "",
    store: Path | None = None,
    steps_per_epoch: float = 1.0,
    reporter: showing.Reporter | None = None,
    name: str = "training",
    goal: Goal | None = None,
    follow: Follow | None = None,
) -> Trained:
    """Trains `model` in place, from where `store` left off if there is a checkpoint of the same identity.

    Args:
        model: raw views in, logits out.
        stages: what to minimise, in order.
        batches: addressed by step.
        teacher: asked only where an objective's weight calls for it; `None` for objectives that need none.
        evaluate: qualities on held-out examples, for the history.
        runtime: device, threads, precision.
        seed: of dropout and the like; order and views have their own.
        identity: fingerprint of all that the weights depend on.
        store: folder of the checkpoint (`checkpoint.safetensors`); `None` keeps none.
        steps_per_epoch: for the history's epochs.
        reporter: shows progress.
        name: what the progress bar is called.
        goal: what better means, for early stopping; only the last stage may stop early.
        follow: is shown the history whenever it has grown.

    Returns:
        History and time. The model is in eval mode, on the runtime's device, with its trained weights, and carries no
        trace of accelerate; the latter also after an error.

    Raises:
        NonFiniteError: the loss is NaN or infinite; the batch was saved.
        Interrupted: SIGINT or SIGTERM; the checkpoint was saved, where there is a store.
        StorageError: a checkpoint could not be written.
        OutOfMemoryError: a step, or a look at validation, did not fit into memory; the last checkpoint stands.
    """
    alone = processes.world() == 1
    shows: showing.Reporter = reporter or showing.Silent()
    follows: Follow = follow or (lambda _history: None)
    path = None if store is None else store / "checkpoint.safetensors"
    ends = [sum(stage.steps for stage in stages[: n + 1]) for n in range(len(stages))]
    resumed = processes.agreed(checkpoint.peek(path).step if path is not None and path.exists() else 0)
    course = Course(batches, teacher, runtime, seed, identity, path, steps_per_epoch)
    seed_everything((seed + _APART * processes.rank()) % 2**32)
    kept = 0
    with applied(runtime), interruptible(processes.patience()) as flag, shows.task(name, ends[-1]) as shown:
        progress = Progress()
        shown.advance(resumed)
        for stage, end in zip(stages, ends, strict=True):
            if resumed and end <= resumed and end < ends[-1]:
                continue  # a stage that is over: its result is in the checkpoint
            last = end == ends[-1]
            sitting = Sitting(model, stage, course, end=end, last=last, goal=goal if last else None)
            if sitting.engine.note is not None:
                shows.say(f"{name}: {sitting.engine.note}")
            try:
                if resumed and path is not None and sitting.start <= resumed:
                    progress, resumed = sitting.resume(path), 0
                    follows(progress.history)
                for batch in islice(batches.from_step(progress.step), sitting.left(progress)):
                    values = sitting.step(batch, progress, stop=flag.raised)
                    if sitting.look(progress, evaluate):
                        follows(progress.history)
                    shown.advance(values=values)
                    if flag.raised if alone else sitting.asked:
                        sitting.save(progress)
                        go_on = "run the same command to go on" if path else "nothing was kept, for there is no store"
                        raise Interrupted(f"{name}: stopped at step {progress.step}; {go_on}")
                    sitting.save_if_due(progress)
                    if not sitting.left(progress):
                        break
                sitting.finish(progress)
                kept = sitting.kept_step(progress)
            except (MemoryError, RuntimeError) as error:
                refuse_shortage(
                    error, name=name, rows=processes.world() * sitting.rows, pieces=stage.settings.accumulate, path=path
                )
                raise
            finally:
                sitting.close(progress)
    return Trained(progress.step, progress.history, progress.seconds, kept)
