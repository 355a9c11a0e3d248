"""The one place that draws bars: progress on the terminal, silence elsewhere."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress


class Task(Protocol):
    """A piece of long work that says how far it is."""

    def advance(self, steps: int = 1, *, values: Mapping[str, float] | None = None) -> None:
        """Moves on; `values` (losses by name) are shown beside the bar."""
        ...


class Reporter(Protocol):
    """Whoever shows progress."""

    def say(self, message: str) -> None:
        """A line that stays."""
        ...

    def task(self, name: str, total: int | None) -> AbstractContextManager[Task]:
        """A context manager that yields a `Task` of `total` steps; `None`: nobody knows how many."""
        ...


class Silent:
    """Shows nothing: the default of the Python functions."""

    def say(self, message: str) -> None:
        """Drops the line."""

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:  # noqa: ARG002 - the role's signature
        """A task that nobody watches."""
        yield _Unwatched()


class _Unwatched:
    def advance(self, steps: int = 1, *, values: Mapping[str, float] | None = None) -> None:
        del steps, values


class Terminal:
    """Bars with time left and the losses by name on a terminal; a plain line now and then where there is none.

    Args:
        seconds: time between two plain lines; what takes less prints none.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)
        self.seconds = seconds

    def say(self, message: str) -> None:
        """Prints the line on standard error."""
        self.console.print(message, markup=False, soft_wrap=True)

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:
        """A bar of `total` steps (`None`: unknown), or lines."""
        if not (self.console.is_terminal and sys.stderr.isatty()):
            yield _Lines(self, name, total)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[values]}"),
        )  # fmt: skip
        with Progress(*columns, console=self.console, transient=True) as progress:
            yield _Bar(progress, name, total)


class _Lines:
    """Says how far it is every so often; for logs."""

    def __init__(self, terminal: Terminal, name: str, total: int | None) -> None:
        self.terminal, self.name, self.total = terminal, name, total
        self.done = self.resumed = 0
        self.start = self.said = time.monotonic()

    def advance(self, steps: int = 1, *, values: Mapping[str, float] | None = None) -> None:
        self.done += steps
        if values is None:  # steps of an earlier process say nothing about this one's speed
            self.resumed += steps
            return
        now = time.monotonic()
        if now - self.said < self.terminal.seconds:
            return
        self.said = now
        if self.total is None:
            self.terminal.say(f"{self.name}: {self.done:,} so far, {self.done / (now - self.start):,.0f} a second")
            return
        left = (now - self.start) / max(1, self.done - self.resumed) * (self.total - self.done)
        text = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        self.terminal.say(f"{self.name}: step {self.done:,} of {self.total:,}, {left:,.0f} s left  {text}")


class _Bar:
    def __init__(self, progress: "Progress", name: str, total: int | None) -> None:
        self.progress = progress
        self.handle = progress.add_task(name, total=total, values="")

    def advance(self, steps: int = 1, *, values: Mapping[str, float] | None = None) -> None:
        if values is None:
            self.progress.advance(self.handle, steps)
            return
        text = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        self.progress.update(self.handle, advance=steps, values=text)
