"""The training loop, top to bottom. It knows no guide, no teacher's insides and no measurement."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from torch import nn

from limbeck.core import progress as showing
from limbeck.core.interrupt import interruptible
from limbeck.core.protocols import Batches, Evaluate, SignalSource
from limbeck.core.runtime import Runtime, applied, seed_everything
from limbeck.errors import Interrupted
from limbeck.training import checkpoint
from limbeck.training.checkpoint import Progress
from limbeck.training.sitting import Sitting, Stage


@dataclass(frozen=True, slots=True)
class Trained:
    """What a finished training leaves beside the weights.

    Attributes:
        steps: optimiser steps.
        history: rows of `{"step", "epoch", "values": {name: number}}`.
        seconds: spent training, over all sittings.
    """

    steps: int
    history: list[dict[str, Any]]
    seconds: float


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

    Returns:
        History and time. The model is in eval mode, on the runtime's device, with its trained weights, and carries no
        trace of accelerate; the latter also after an error.

    Raises:
        NonFiniteError: the loss is NaN or infinite; the batch was saved.
        Interrupted: SIGINT or SIGTERM; the checkpoint was saved, where there is a store.
        StorageError: a checkpoint could not be written.
    """
    shows: showing.Reporter = reporter or showing.Silent()
    path = None if store is None else store / "checkpoint.safetensors"
    ends = [sum(stage.steps for stage in stages[: n + 1]) for n in range(len(stages))]
    resumed = checkpoint.peek(path).step if path is not None and path.exists() else 0
    seed_everything(seed)
    with applied(runtime), interruptible() as flag, shows.task(name, ends[-1]) as shown:
        progress = Progress()
        shown.advance(resumed)
        for stage, end in zip(stages, ends, strict=True):
            if resumed and end <= resumed and end < ends[-1]:
                continue  # a stage that is over: its result is in the checkpoint
            sitting = Sitting(
                model, stage, end=end, runtime=runtime, identity=identity, path=path, steps_per_epoch=steps_per_epoch
            )
            try:
                if resumed and path is not None and end - stage.steps <= resumed:
                    progress, resumed = sitting.resume(path), 0
                for batch in islice(batches.from_step(progress.step), max(0, end - progress.step)):
                    values = sitting.step(batch, teacher, progress)
                    sitting.look(progress, evaluate)
                    shown.advance(values=values)
                    if flag.raised:
                        sitting.save(progress)
                        go_on = "run the same command to go on" if path else "nothing was kept, for there is no store"
                        raise Interrupted(f"{name}: stopped at step {progress.step}; {go_on}")
                    sitting.save_if_due(progress)
                sitting.finish(progress)
            finally:
                sitting.close(progress)
    return Trained(progress.step, progress.history, progress.seconds)
