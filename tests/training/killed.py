"""Trains in child processes that are killed at random moments, until one lives to the end: `python -m` this.

The children are forked from here, so that only one process has to import torch.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from limbeck.core.runtime import applied
from limbeck.objectives import HardLabels
from limbeck.training.engine import Engine
from limbeck.training.optimiser import build_optimiser
from limbeck.training.settings import TrainSettings

from .workshop import CPU, batches, evaluate, mlp, teacher, work


def child(job: str, folder: Path) -> None:
    """Leaves all that is compared."""
    outcome = work(job, store=folder)
    save_file({k: v.contiguous() for k, v in outcome.weights.items()}, folder / "weights.safetensors")
    save_file({k: v.contiguous() for k, v in outcome.objectives[-1].items()}, folder / "objective.safetensors")
    (folder / "history.json").write_text(json.dumps(outcome.history))


def main(job: str, folder: Path, seed: int, kills: int) -> None:
    chance, path = random.Random(seed), folder / "checkpoint.safetensors"
    killed: list[int] = []
    while True:
        pid = os.fork()
        if pid == 0:
            child(job, folder)
            os._exit(0)
        if len(killed) < kills:
            await_moment(chance, path, pid)
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        if os.WIFSIGNALED(status):
            killed.append(step_of(path))
        elif os.WEXITSTATUS(status):
            sys.exit(f"a child failed with {os.WEXITSTATUS(status)}")
        elif len(killed) < kills:  # it was done before its end came: start over
            path.unlink()
        else:
            break
    history = json.loads((folder / "history.json").read_text())
    (folder / "told.json").write_text(json.dumps({"killed": killed, "history": history}))


def await_moment(chance: random.Random, path: Path, pid: int) -> None:
    """At once, or some steps on and anywhere within a step, however slow the machine is."""
    if chance.random() < 0.8:
        target = step_of(path) + chance.randint(1, 3)
        while step_of(path) < target and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            time.sleep(0.001)
    time.sleep(chance.uniform(0.0, 0.03))


def step_of(path: Path) -> int:
    # through one open file: the process that is watched may put another in its place at any moment
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except FileNotFoundError:
        return 0
    return json.loads(header["__metadata__"]["limbeck"])["progress"]["step"]


def warm_up() -> None:
    """Does here, once, what is slow in a fresh process; a backward pass would start threads, which do not fork."""
    model = mlp()
    optimiser = Engine(CPU, model, HardLabels()).prepare(build_optimiser([model], TrainSettings()))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    with torch.no_grad():
        teacher().signals(next(batches().from_step(0)))
        evaluate(mlp())


if __name__ == "__main__":
    with applied(CPU):
        warm_up()
        main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
