"""Writes the guide of the tests' small world in child processes and kills them; run by `test_guide_killed.py`.

Usage: killed_writer.py FOLDER by-step|by-time. One import of torch serves all children, which are forked.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from limbeck.data.view_ops import Noise, Shift
from limbeck.data.views import Views
from limbeck.guide import plan


class Slow:
    def __init__(self, teacher, seconds):
        self.teacher, self.seconds = teacher, seconds

    def signals(self, batch):
        time.sleep(self.seconds)
        return self.teacher.signals(batch)


def child(world, folder, *, dies_at=None, seconds=0.0):
    """The process id of a writer, which kills itself before its n-th step that touches the disk."""
    number = os.fork()
    if number:
        return number
    if dies_at is not None:
        count = 0
        for name in ("fsync", "open", "rename", "replace", "unlink"):
            real = getattr(os, name)

            def touched(*arguments, real=real, **keywords):
                nonlocal count
                count += 1
                if count > dies_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **keywords)

            setattr(os, name, touched)
    try:
        world.write(folder, teacher=Slow(world.teacher, seconds), batch_rows=16)
    except BaseException as error:  # noqa: BLE001 - a forked child must not go on as its parent
        sys.stdout.write(f"{error!r}\n")
        sys.stdout.flush()
        os._exit(3)
    os._exit(0)


def ended(number):
    """True when it finished, false when it was killed."""
    code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code == 0


def by_step(world, folder):
    """Dies a little later each time, whatever the writer is at."""
    deaths, step = 0, 0
    while not ended(child(world, folder / f"{step}", dies_at=step)):
        deaths, step = deaths + 1, step + 1
    for number in range(deaths):
        assert ended(child(world, folder / f"{number}"))
    return deaths


def by_time(world, folder):
    """Dies at seeded moments, and goes on each time in the same folder."""
    deaths, draw = 0, random.Random(0)
    while True:
        number = child(world, folder / "0", seconds=0.004)
        time.sleep(draw.uniform(0.02, 0.15))
        os.kill(number, signal.SIGKILL)
        if ended(number):
            return deaths
        deaths += 1
        if deaths == 8:
            assert ended(child(world, folder / "0"))
            return deaths


def main(folder, how):
    sys.path.insert(0, str(Path(__file__).parent))
    import torch

    import conftest

    plan.ROWS_AT_LEAST, plan.SHARDS_AT_LEAST = 64, 3
    os.fsync = lambda _: None  # against the machine's death, not the process's, and it takes most of the time
    torch.set_num_threads(1)
    small = conftest.World(conftest.data(), Views((Shift(1), Noise()), seed=5, count=3), conftest.live())
    sys.stdout.write(f"{how(small, folder)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), {"by-step": by_step, "by-time": by_time}[sys.argv[2]])
