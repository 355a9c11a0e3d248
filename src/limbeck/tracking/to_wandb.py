"""Weights & Biases, offline: `wandb sync RUN/track/wandb/offline-run-*` sends what was written, when the user wants."""

import os
import shutil
from collections.abc import Mapping
from typing import Any

from limbeck.tracking.run import Card


class WandbRun:
    """Writes offline, unless the user's own environment says otherwise (`WANDB_MODE=online`).

    What an earlier process wrote offline is written anew. A server is told the same run again, and drops the steps that
    it has.

    Args:
        card: of the training.

    Attributes:
        sent: the last step that a server has; offline 0.
    """

    def __init__(self, card: Card) -> None:
        mode: Any = os.environ.get("WANDB_MODE", "offline")
        if mode == "offline":
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else crashes of wandb would be sent home
        import wandb

        card.folder.mkdir(parents=True, exist_ok=True)
        for earlier in (card.folder / "wandb").glob(f"offline-run-*-{card.key}"):
            shutil.rmtree(earlier, ignore_errors=True)
        quiet = wandb.Settings(console="off", silent=True, disable_git=True, disable_code=True)
        self._run = wandb.init(
            project=card.project, name=card.name, id=card.key, dir=str(card.folder), mode=mode, resume="allow",
            config=dict(card.config), reinit="create_new", settings=quiet,
        )  # fmt: skip
        self.sent = self._run.step - 1 if self._run.resumed else 0

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Adds points at an optimiser step."""
        self._run.log(dict(values), step=step, commit=True)

    def close(self, final: Mapping[str, float] | None) -> None:
        """Ends it; final numbers stand in its summary."""
        for name, value in (final or {}).items():
            self._run.summary[f"final/{name}"] = value
        self._run.finish(exit_code=1 if final is None else 0)
