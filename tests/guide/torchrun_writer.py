"""One rank of the tests' small world, started by torchrun; run by `test_torchrun.py`.

Usage: torchrun ... torchrun_writer.py FOLDER [--dies RANK:SHARDS:MARKER] [--seconds S]
Rank RANK kills itself when it begins its shard number SHARDS (counted from 0), once: MARKER tells that it happened.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch

import conftest
from limbeck.core.progress import Silent
from limbeck.data.view_ops import Noise, Shift
from limbeck.data.views import Views
from limbeck.errors import LimbeckError
from limbeck.guide import desk, plan

RANK, WORLD = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def tell(message):
    sys.stdout.write(f"rank {RANK}: {message}\n")
    sys.stdout.flush()


class Slow:
    def __init__(self, teacher, seconds):
        self.teacher, self.seconds = teacher, seconds

    def signals(self, batch):
        time.sleep(self.seconds)
        return self.teacher.signals(batch)


class Aloud:
    def say(self, message):
        tell(message)

    def task(self, name, total):
        return Silent().task(name, total)


def watch(real, dies):
    """`write_shard` that tells which rank writes what, and dies where it is told to."""
    begun = 0

    def write_shard(folder, number, **keywords):
        nonlocal begun
        if dies is not None:
            rank, shards, marker = dies.split(":")
            if int(rank) == RANK and int(shards) == begun and not Path(marker).exists():
                Path(marker).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        begun += 1
        shard = real(folder, number, **keywords)
        tell(f"wrote {number}")
        return shard

    return write_shard


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dies")
    parser.add_argument("--seconds", type=float, default=0.0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    plan.ROWS_AT_LEAST, plan.SHARDS_AT_LEAST = 64, 7
    desk.write_shard = watch(desk.write_shard, asked.dies)
    world = conftest.World(conftest.data(), Views((Shift(1), Noise()), seed=5, count=3), conftest.live())
    teacher = Slow(world.teacher, asked.seconds)
    try:
        manifest = world.write(asked.folder, teacher=teacher, batch_rows=16, rank=RANK, world=WORLD, reporter=Aloud())
    except LimbeckError as error:
        tell(f"{type(error).__name__}: {error}")
        return error.exit_code
    tell(f"{'finished' if manifest else 'left it unfinished'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
