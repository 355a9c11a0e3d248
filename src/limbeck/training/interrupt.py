"""SIGINT and SIGTERM as a flag that the loop looks at between two steps, so that nothing is cut in half."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Flag:
    """Whether somebody asked to stop; a second request is not waited for."""

    def __init__(self) -> None:
        self.raised = False
        self.number = signal.SIGINT

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: raises the flag; the second time it interrupts at once."""
        del frame
        if self.raised:
            raise KeyboardInterrupt
        self.raised, self.number = True, signal.Signals(number)


@contextmanager
def interruptible() -> Iterator[Flag]:
    """Catches both signals for the time of the block (in the main thread), then gives the old handlers back.

    A request that came after the block's last look at the flag is handed on to the old handler, not swallowed.
    """
    flag = Flag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = {number: signal.signal(number, flag.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: set by other than Python
    if flag.raised:
        signal.raise_signal(flag.number)
