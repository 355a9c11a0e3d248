"""Stopping a run: SIGTERM and Ctrl-C, wherever it is, end it as `Interrupted`, with everything finished kept."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from limbeck.core.interrupt import Stopped, handled
from limbeck.errors import Interrupted, ProcessLostError


@contextmanager
def stoppable() -> Iterator[None]:
    """Turns both signals into `Interrupted` for the time of the block (in the main thread).

    A training catches them itself and saves a checkpoint first.

    Yields:
        Nothing.

    Raises:
        Interrupted: somebody asked to stop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        with handled(_stop):
            yield
    except KeyboardInterrupt as error:
        if isinstance(error.__context__, SystemExit | ProcessLostError):  # several processes: it was ending already
            raise error.__context__ from None
        raise Interrupted("stopped; what is finished is kept, and the same command goes on") from error


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Stopped
