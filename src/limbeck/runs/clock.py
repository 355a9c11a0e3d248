"""Seconds by stage, kept over interruptions."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from limbeck.core import processes
from limbeck.core.storage import read_json, write_json
from limbeck.errors import StorageError

GOES_ON = frozenset({"teacher", "guide", "tuning", "students"})
"""First words of stages that go on where they were, so that their seconds add up; the others start afresh."""


class Clock:
    """A stop-watch on disk.

    Args:
        path: JSON file of the seconds so far; a process that is killed loses those of the stage it was in.

    Example:
        >>> import tempfile
        >>> clock = Clock(Path(tempfile.mkdtemp()) / "timing.json")
        >>> with clock.stage("teacher"):
        ...     pass
        >>> sorted(clock.seconds), clock.seconds["teacher"] < 1
        (['teacher'], True)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        known = read_json(path) if path.exists() else {}
        self.seconds: dict[str, float] = {
            name: value for name, value in known.items() if name.partition(" ")[0] in GOES_ON
        }

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the block's time, also of one that fails."""
        before, start = self.seconds.get(name, 0.0), time.monotonic()
        try:
            yield
        except BaseException:
            with suppress(StorageError):  # the block's own error says more
                self._count(name, before, start)
            raise
        self._count(name, before, start)

    def _count(self, name: str, before: float, start: float) -> None:
        self.seconds[name] = round(before + time.monotonic() - start, 3)
        if processes.is_main():
            write_json(self.path, self.seconds)
