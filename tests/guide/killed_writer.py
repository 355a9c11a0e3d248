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
    """A teacher that keeps the processor busy for a while, so that most of a writer's work is of a known length."""

    def __init__(self, teacher, seconds):
        self.teacher, self.seconds = teacher, seconds

    def signals(self, batch):
        until = time.process_time() + self.seconds
        while time.process_time() < until:
            pass
        return self.teacher.signals(batch)


def child(world, folder, *, dies_at=None, dies_after=None, seconds=0.0):
    """The process id of a writer, which dies before its n-th step that touches the disk, or after seconds of work.

    The seconds are the processor's for this process, which do not pass while others compute: on a busy machine it dies
    as far into its work as on an idle one. Nothing handles the timer's signal, so that it kills wherever it finds it.
    """
    number = os.fork()
    if number:
        return number
    if dies_after is not None:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, dies_after)
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
    assert code in (0, -signal.SIGKILL, -signal.SIGPROF), code
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
    """Dies at seeded moments of its work, and goes on each time in the same folder.

    Each of its first three lives is too short for one of the three shards; the later ones keep some, and reach the end.
    """
    whole = worked(world, folder / "timed")
    deaths, draw = 0, random.Random(0)
    while deaths < 8:
        life = draw.uniform(0.02, 0.3 if deaths < 3 else 0.8) * whole
        if ended(child(world, folder / "0", dies_after=life, seconds=0.004)):
            return deaths
        deaths += 1
    assert ended(child(world, folder / "0", seconds=0.004))
    return deaths


def worked(world, folder):
    """Seconds of the processor that a writer needs which is left alone."""
    _, code, usage = os.wait4(child(world, folder, seconds=0.004), 0)
    assert code == 0, code
    return usage.ru_utime + usage.ru_stime


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
