"""What runs in a Ray actor: it is given a kit, and writes the shards that it is told to.

Nothing here is raised into Ray, which would bury it under its own tracebacks: a row tells how the shard went, and the
driver raises.
"""

import platform
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray

from limbeck.core.optional import require
from limbeck.errors import GuideError, RunError
from limbeck.guide.answers import Answers, Place, place_of
from limbeck.guide.codec import encode
from limbeck.guide.compare import compare
from limbeck.guide.manifest import Plan, read_plan
from limbeck.guide.shard import write_shard

ATTEMPTS = 3
"""At one shard. Ray starts a killed actor again without end, and a shard that kills its actor would kill them all."""

EXTRA = "cluster"
PURPOSE = "labelling with Ray"


@dataclass(frozen=True, slots=True)
class Kit:
    """All that a writer needs; it travels through Ray's object store, once to each machine.

    Attributes:
        folder: of the guide, as every machine sees it.
        plan: of it.
        ids: of the examples, sorted.
        answers: who speaks.
        batch_rows: rows asked about at once.
        threads: of torch; float32 sums depend on it.
        sample: some rows, and what the driver's own teacher said about them.
    """

    folder: Path
    plan: Plan
    ids: Int[np.ndarray, " n"]
    answers: Answers
    batch_rows: int
    threads: int
    sample: Mapping[str, NDArray[Any]]

    def checked(self) -> float:
        """Makes sure that this machine sees the driver's folder and data, and that its teacher speaks alike.

        Returns:
            The largest difference from the driver's answers; 0 where they are the same to the last bit.

        Raises:
            GuideError: it does not.
        """
        here = platform.node()
        plan = read_plan(self.folder)
        if plan is None or plan.fingerprint() != self.plan.fingerprint():
            raise GuideError(f"{here} does not see the guide in {self.folder}; choose a folder that all machines share")
        told = compare(self.sample, sample(self.answers, self.plan, self.ids), same_machine=False)
        if told.wrong:
            raise GuideError(
                f"{here} hears another teacher, or about other data, than the machine that started this: "
                f"{told.wrong[0][1]}; let all machines see the same files and have the same versions"
            )
        return told.max_error


def sample(answers: Answers, plan: Plan, ids: Int[np.ndarray, " n"]) -> dict[str, NDArray[Any]]:
    """What is said about one chunk of rows, spread over all of them."""
    rows = np.unique(np.linspace(0, plan.rows - 1, plan.teacher.chunk).astype(np.int64))
    place: Place = place_of(rows, ids)
    return encode(next(iter(answers(iter([place])))), place.ids, place.views, plan.signals)


class Tries:
    """Counts, for all writers, how often each shard was begun."""

    def __init__(self) -> None:
        self._begun: dict[int, int] = {}

    def begin(self, number: int) -> int:
        """How many times this shard has been begun, this time included."""
        self._begun[number] = self._begun.get(number, 0) + 1
        return self._begun[number]


class Writer:
    """The class that Ray Data makes its actors of. The kit is opened with the first shard.

    Args:
        kit: reference to a `Kit`.
        tries: handle of the `Tries` actor.
    """

    def __init__(self, kit: Any, tries: Any) -> None:  # noqa: ANN401 - Ray's own types
        self._reference, self._tries = kit, tries
        self._kit: Kit | None = None
        self._drift = 0.0

    def __call__(self, batch: Mapping[str, NDArray[Any]]) -> dict[str, list[Any]]:
        """Writes the shard whose number stands in the batch, and tells how that went."""
        number = int(batch["number"][0])
        error, text, trace = "", "", ""
        try:
            self._write(number)
        except Exception as problem:  # noqa: BLE001 - the driver raises it
            error, text, trace = type(problem).__name__, str(problem), traceback.format_exc()
        return {"number": [number], "error": [error], "text": [text], "trace": [trace], "drift": [self._drift]}

    def _write(self, number: int) -> None:
        ray = require("ray", extra=EXTRA, purpose=PURPOSE)
        if ray.get(self._tries.begin.remote(number)) > ATTEMPTS:
            raise RunError(f"the process that writes shard {number} was killed {ATTEMPTS} times: is memory short?")
        if self._kit is None:
            kit: Kit = ray.get(self._reference)
            torch.set_num_threads(kit.threads)
            self._drift = kit.checked()
            self._kit = kit
        kit = self._kit
        write_shard(
            kit.folder, number, plan=kit.plan, ids=kit.ids, answers=kit.answers, batch_rows=kit.batch_rows
        )  # fmt: skip
