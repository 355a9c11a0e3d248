"""All trackers of a run: each is told the same, none of them can stop a training, and no point is told twice."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from limbeck.core import processes
from limbeck.core.optional import require
from limbeck.core.printed import reason
from limbeck.core.storage import write_json
from limbeck.tracking.run import Card, Run

KINDS: Final[Mapping[str, str]] = {
    "tensorboard": "limbeck.tracking.to_tensorboard:TensorBoardRun",
    "wandb": "limbeck.tracking.to_wandb:WandbRun",
    "mlflow": "limbeck.tracking.to_mlflow:MlflowRun",
}
_PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
}


def check(kinds: Sequence[str]) -> None:
    """Looks whether the trackers' packages are there, without importing them.

    Raises:
        MissingDependencyError: names the extra that installs them.
    """
    for kind in kinds:
        for package in _PACKAGES[kind]:
            if find_spec(package) is None:
                require(package, extra="track", purpose=f"track: {kind}")


@dataclass(frozen=True)
class Tracking:
    """The trackers of a run.

    Attributes:
        projects: kind of tracker -> what the trainings are kept under.
        folder: where they write.
        config: the resolved recipe.
        recipe: the same as text.
        say: hears once of each tracker that failed.
        failed: kinds that are left alone from now on.
    """

    projects: Mapping[str, str]
    folder: Path
    config: Mapping[str, Any]
    recipe: str
    say: Callable[[str], None]
    failed: set[str] = field(default_factory=set)

    @contextmanager
    def training(self, name: str, identity: str, **facts: object) -> Iterator["Told"]:
        """Opens a training in every tracker that has not heard all about it.

        Args:
            name: for people.
            identity: fingerprint of everything that the weights depend on.
            **facts: what is particular to this training, for its config.

        Yields:
            Whom to show the history, and the final numbers; who is told none of the latter marks it unfinished.
        """
        told = Told(self, identity)
        if processes.is_main():
            for kind in self.projects.keys() - self.failed:
                if not self._mark(kind, identity).exists():
                    told.open(kind, self._card(kind, name, identity, facts))
        try:
            yield told
        finally:
            told.close()

    def _card(self, kind: str, name: str, identity: str, facts: Mapping[str, object]) -> Card:
        config = {**self.config, "training": {"name": name, **facts}}
        return Card(name, identity, self.folder, self.projects[kind], config, self.recipe)

    def _mark(self, kind: str, identity: str) -> Path:
        return self.folder / "told" / f"{identity[:16]}-{kind}.json"


class Told:
    """One training in all its trackers; fills the role `Follow`.

    Args:
        tracking: whose training it is.
        identity: of the training.
    """

    def __init__(self, tracking: Tracking, identity: str) -> None:
        self._tracking, self._identity = tracking, identity
        self._runs: dict[str, Run] = {}
        self._sent: dict[str, int] = {}
        self._history: list[Mapping[str, Any]] = []

    def open(self, kind: str, card: Card) -> None:
        """Opens it in one tracker."""
        module, _, name = KINDS[kind].partition(":")

        def opened() -> None:
            self._runs[kind] = getattr(import_module(module), name)(card)
            self._sent[kind] = self._runs[kind].sent

        self._guarded(kind, opened)

    def __call__(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Passes on the rows that are new to each tracker."""
        for kind in list(self._runs):
            self._guarded(kind, lambda kind=kind: self._send(kind, history))  # type: ignore[misc]

    def finish(self, history: Sequence[Mapping[str, Any]], final: Mapping[str, float]) -> None:
        """The whole history and the final numbers; from then on nothing more is told of this training."""
        self(history)
        for kind in list(self._runs):
            self._guarded(kind, lambda kind=kind: self._end(kind, final))  # type: ignore[misc]

    def close(self) -> None:
        """Ends what is still open, as unfinished."""
        for kind in list(self._runs):
            self._guarded(kind, lambda kind=kind: self._runs.pop(kind).close(None))  # type: ignore[misc]

    def _send(self, kind: str, history: Sequence[Mapping[str, Any]]) -> None:
        for row in history:
            if row["step"] > self._sent[kind]:
                self._runs[kind].log(row["step"], {**row["values"], "epoch": row["epoch"]})
                self._sent[kind] = row["step"]

    def _end(self, kind: str, final: Mapping[str, float]) -> None:
        self._runs.pop(kind).close(final)
        write_json(self._tracking._mark(kind, self._identity), {"training": self._identity})  # noqa: SLF001

    def _guarded(self, kind: str, act: Callable[[], None]) -> None:
        """Does something with a tracker, and never speaks to it again if that fails."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what their libraries say to their developers
                act()
        except Exception as error:  # noqa: BLE001 - whatever a tracker's library raises, training goes on
            self._runs.pop(kind, None)
            self._tracking.failed.add(kind)
            self._tracking.say(f"{kind} failed and is left alone, training goes on: {reason(error)}")


NOWHERE: Final = Tracking({}, Path(), {}, "", lambda _message: None)
"""Tells nobody."""
