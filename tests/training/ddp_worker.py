"""Trains jobs under torchrun, and leaves what is compared: `-m tests.training.ddp_worker FOLDER JOB...`."""

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from limbeck.core import processes
from limbeck.errors import LimbeckError
from limbeck.runs.stop import stoppable

from .ddp_jobs import train_job


def train(name: str, folder: Path, options: argparse.Namespace) -> None:
    rank, world = processes.rank(), processes.world()
    store = folder / name if options.keep else None
    outcome = train_job(
        name,
        rank,
        world,
        store=store,
        disturbed=lambda source: Disturbed(source, folder, options),
        device=options.device,
    )
    alike = processes.gather([value.tolist() for value in outcome.weights.values()])
    assert all(other == alike[0] for other in alike), "the processes hold different weights"
    if processes.is_main():
        tensors = {key: value.detach().contiguous() for key, value in outcome.weights.items()}
        save_file(tensors, folder / f"{name}.safetensors")
        (folder / f"{name}.json").write_text(json.dumps(outcome.history))


class Disturbed:
    """Batches that do something to this process before they hand out the batch of a certain step, once."""

    def __init__(self, batches, folder: Path, options: argparse.Namespace) -> None:
        self.batches, self.mark, self.what = batches, folder / "disturbed", options.disturb

    def from_step(self, step: int):
        for number, batch in enumerate(self.batches.from_step(step), start=step):
            kind, _, place = (self.what or "").partition(":")
            if place and [processes.rank(), number] == [int(n) for n in place.split(",")] and not self.mark.exists():
                self.mark.touch()
                yield self.disturbed(kind, batch)
            else:
                yield batch

    def disturbed(self, kind: str, batch):
        if kind == "nan":
            return replace(batch, inputs=torch.full(batch.inputs.shape, torch.nan))
        if kind == "raise":
            raise ValueError("a mistake of ours")
        if kind == "ctrl-c":  # reaches the launcher, which hands it on
            os.kill(os.getppid(), signal.SIGINT)
            time.sleep(1)
        else:
            os.kill(os.getpid(), {"kill": signal.SIGKILL, "term": signal.SIGTERM}[kind])
        return batch


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("jobs", nargs="+")
    parser.add_argument("--disturb")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    try:
        with stoppable(), processes.joined():
            for name in options.jobs:
                train(name, options.folder, options)
    except LimbeckError as error:
        sys.stderr.write(f"limbeck: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
