"""SIGINT and SIGTERM as a flag that the loop looks at between two steps, so that nothing is cut in half."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(KeyboardInterrupt):
    """Raised by our handlers in place of its parent.

    Where Python runs source text (making a dataclass, say), a plain `KeyboardInterrupt` that passes through marks the
    whole process, which then ends as if killed by the signal, whatever exit code it asks for.
    """


class Flag:
    """Whether somebody asked to stop; a second request is not waited for.

    Args:
        patience: seconds in which another signal is taken for the same request; a launcher hands on to its processes
            what the terminal has already told them.
    """

    def __init__(self, patience: float = 0.0) -> None:
        self.raised = False
        self.number = signal.SIGINT
        self.patience, self.since = patience, 0.0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: raises the flag; the second time it interrupts at once."""
        del frame
        if self.raised and time.monotonic() - self.since >= self.patience:
            raise Stopped
        if not self.raised:
            self.raised, self.number, self.since = True, signal.Signals(number), time.monotonic()


@contextmanager
def interruptible(patience: float = 0.0) -> Iterator[Flag]:
    """Catches both signals for the time of the block (in the main thread), then gives the old handlers back.

    A request that came after the block's last look at the flag is handed on to the old handler, not swallowed.

    Args:
        patience: see `Flag`.

    Yields:
        The flag.
    """
    flag = Flag(patience)
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    with handled(flag.handle):
        yield flag
    if flag.raised:
        signal.raise_signal(flag.number)


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Gives both signals this handler for the time of the block; one that is ignored (by `nohup`, `&`) stays so."""
    asked = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in asked}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)  # None: set by other than Python
