"""TensorBoard: one folder of event files a training, `tensorboard --logdir RUN/track/tensorboard` shows them."""

import re
import shutil
from collections.abc import Mapping
from typing import Any

from limbeck.tracking.run import Card


class TensorBoardRun:
    """Writes scalars, and the recipe as text.

    What an earlier process wrote is written anew: the history is small, and so no point stands twice.

    Args:
        card: of the training.

    Attributes:
        sent: 0.
    """

    def __init__(self, card: Card) -> None:
        from torch.utils.tensorboard import SummaryWriter

        name = re.sub(r"[^A-Za-z0-9._=]+", "-", card.name).strip("-")
        folder = card.folder / "tensorboard" / f"{name}-{card.key[:8]}"
        shutil.rmtree(folder, ignore_errors=True)
        self.sent = 0
        self._last = 0
        self._writer: Any = SummaryWriter(str(folder))
        self._writer.add_text("recipe", f"```yaml\n{card.recipe}\n```", 0)
        self._writer.flush()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Adds points at an optimiser step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()
        self._last = step

    def close(self, final: Mapping[str, float] | None) -> None:
        """Ends it; final numbers stand at the last step."""
        for name, value in (final or {}).items():
            self._writer.add_scalar(f"final/{name}", value, self._last)
        self._writer.close()
