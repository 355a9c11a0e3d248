"""The processes that work on a run together as each sees the others: who failed, who was lost, who waits.

Each leaves notes in the store that the launcher keeps: who it is, that it failed, that it is done. A note outlives its
writer, so the others know whether a broken connection was somebody's error (who tells it) or a loss (which they tell).
"""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from signal import SIG_DFL, SIGTERM, getsignal, raise_signal
from typing import TYPE_CHECKING

from limbeck.errors import Interrupted, LimbeckError, ProcessLostError

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

LOOK_SECONDS = 0.5
"""Between two looks at the others."""
GRACE_SECONDS = 10.0
"""For this process to end by itself once another has gone; it may wait on a GPU that waits for the lost one."""
ROOT_CAUSE_SECONDS = 3.0
"""How long after a broken connection is looked for whoever broke it."""


class BrokenCompanyError(RuntimeError):
    """Another process has gone while this one waited for it."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Another process that will not go on.

    Attributes:
        rank: which one; `None`: unknown.
        code: exit code of one that failed and said so itself; `None`: it was lost without a word.
    """

    rank: int | None
    code: int | None


class Company:
    """This process among the others.

    Args:
        store: shared by all; nobody else uses its keys.
        rank: which one this is.
        world: how many there are.
    """

    def __init__(self, store: "Store", rank: int, world: int) -> None:
        self.store, self.rank, self.world = store, rank, world
        self._waits, self._pids = 0, dict[int, int]()
        store.set(f"who/{rank}", json.dumps([_host(), os.getpid()]))
        self.wait()
        for other in range(world):
            host, pid = json.loads(store.get(f"who/{other}"))
            if other != rank and host == _host():
                self._pids[other] = pid

    def trouble(self, patience: float = 0.0, store: "Store | None" = None) -> Trouble | None:
        """Who failed or was lost, if anybody.

        Args:
            patience: seconds to go on looking.
            store: another connection, for another thread.

        Returns:
            The one who failed first and said so; else one whose process is gone; else nothing.
        """
        store, end = store or self.store, time.monotonic() + patience
        while True:
            gone = [rank for rank, pid in self._pids.items() if not _alive(pid)]
            try:
                told = json.loads(store.get("failed")) if store.check(["failed"]) else None
                gone = [rank for rank in gone if not store.check([f"left/{rank}"])]
            except (RuntimeError, ValueError):  # the store has gone, and with it whoever kept it
                return Trouble(gone[0] if gone else None, None)
            if told is not None and told["rank"] != self.rank:
                return Trouble(told["rank"], told["code"])
            if gone:
                return Trouble(gone[0], None)
            if time.monotonic() >= end:
                return None
            time.sleep(0.02)

    def claim(self, code: int) -> bool:
        """Says that this process fails; true for the first to say so, who also tells the user."""
        note = json.dumps({"rank": self.rank, "code": code})
        try:
            return bool(self.store.compare_set("failed", "", note) == note.encode())
        except RuntimeError:
            return True  # nobody is left to tell it

    def wait(self) -> None:
        """Returns once every process is here, however long that takes; signals are heard meanwhile.

        Raises:
            BrokenCompanyError: one of them will not come.
        """
        self._waits += 1
        key, pause, looked = f"wait/{self._waits}", 0.0005, time.monotonic()
        self.store.add(key, 1)
        while self.store.add(key, 0) < self.world:
            time.sleep(pause)
            pause = min(0.05, 1.5 * pause)
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                if self.trouble() is not None:
                    raise BrokenCompanyError("another process has gone")

    def leave(self) -> None:
        """Says that this process is done."""
        with suppress(RuntimeError):
            self.store.set(f"left/{self.rank}", "1")

    def ending(self, error: BaseException) -> BaseException:
        """What this process ends with: one of all tells what went wrong, the others leave with the same code.

        Args:
            error: what ended its work: a cause, or what another's end looks like from here.

        Returns:
            The error itself, `ProcessLostError`, or `SystemExit`.
        """
        asked = isinstance(error, KeyboardInterrupt | Interrupted)
        own = isinstance(error, LimbeckError) and not asked
        foreign = isinstance(error, RuntimeError) and not isinstance(error, LimbeckError)
        trouble = None if own else self.trouble(ROOT_CAUSE_SECONDS if foreign else 0.0)
        if trouble is None and foreign and _of_the_wire(error):
            trouble = Trouble(None, None)
        if trouble is None:
            return error if self.claim(exit_code(error)) else SystemExit(exit_code(error))
        if trouble.code is not None:
            return SystemExit(trouble.code)
        return ProcessLostError(lost(trouble, self.world)) if self.claim(1) else SystemExit(1)


class Watch:
    """A thread that notices trouble while the main thread is busy, and ends a process that cannot end by itself.

    Args:
        company: whom to look after.
        end: how the process is ended.
    """

    def __init__(self, company: Company, end: Callable[[int], object] = os._exit) -> None:
        self._company, self._end = company, end
        self._store = company.store.clone()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="limbeck-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The process ends by itself."""
        self._over.set()
        self._thread.join(LOOK_SECONDS)

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            trouble = self._company.trouble(store=self._store)
            if trouble is None:
                continue
            if getsignal(SIGTERM) not in (SIG_DFL, None):
                raise_signal(SIGTERM)  # heard by the main thread between two instructions, unless it waits in a library
            if not self._over.wait(GRACE_SECONDS):
                if trouble.code is None:
                    sys.stderr.write(f"limbeck: {lost(trouble, self._company.world)}\n")
                sys.stderr.flush()
                self._end(trouble.code or 1)
            return


def lost(trouble: Trouble, world: int) -> str:
    """The paragraph for whoever reads the terminal."""
    who = f"one of the {world} processes" if trouble.rank is None else f"process {trouble.rank} of {world} (from 0 on)"
    return (
        f"{who} was lost: killed, out of memory, or on a machine that went away; so the others stopped too. "
        "Everything finished and the last checkpoint are kept: run the same command to go on"
    )


def exit_code(error: BaseException) -> int:
    """The code that a process with this error leaves with."""
    if isinstance(error, LimbeckError):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return Interrupted.exit_code if isinstance(error, KeyboardInterrupt) else 1


def _of_the_wire(error: BaseException) -> bool:
    """Whether that is how the end of another process looks from here."""
    from torch.distributed import DistError

    signs = ("gloo", "nccl", "connection closed by peer", "connection reset", "broken pipe")
    return isinstance(error, DistError | BrokenCompanyError) or any(sign in str(error).lower() for sign in signs)


def _host() -> str:
    """The machine, and the part of it whose process numbers mean something here."""
    with suppress(OSError):
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    return socket.gethostname()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return True


ALONE = timedelta(days=30)
"""How long one process may work while others wait in a collective: losses are noticed otherwise, and much sooner."""
