"""Mean Teacher (Tarvainen & Valpola 2017, arXiv 1703.01780): the student's own moving average teaches it."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from limbeck.core.batch import Batch
from limbeck.core.protocols import Objective
from limbeck.core.runtime import Runtime
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.training.growing import refuse_insides
from limbeck.training.kept import Kept, average
from limbeck.training.settings import TrainSettings


class SelfTeacher:
    """Answers with the average of all the student has been, in eval mode and without gradient.

    It sees the views that the student sees: of the noise that the paper puts on each side apart, the student's dropout
    and batch statistics are left.

    Args:
        decay: in (0, 1); an average over about the last `1 / (1 - decay)` steps, fewer at first (`kept.average`).
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.module: nn.Module = nn.Identity()
        self.kept = Kept(self.module)

    def begin(self, model: nn.Module, objective: Objective, settings: TrainSettings, runtime: Runtime) -> None:
        """The average begins as the student does."""
        del settings
        refuse_insides(objective)
        if runtime.strategy == "fsdp":
            raise ModelError("teacher.ema: the average needs the whole student in each process; use strategy: ddp")
        self.module = copy.deepcopy(model).to(runtime.device).eval().requires_grad_(False)
        self.kept = Kept(self.module)

    @torch.no_grad()
    def signals(self, batch: Batch) -> Signals:
        """Logits in float32."""
        return Signals(logits=self.module(batch.inputs).float())

    def learn(self, student: Signals, batch: Batch, progress: float, shares: Sequence[float] | None) -> None:
        """Nothing: it only follows."""

    def follow(self, model: nn.Module, rate: float, done: int) -> None:
        """Moves towards the student."""
        del rate
        average(self.kept, model, decay=self.decay, updates=done)
        self.kept.give(self.module)

    def close(self) -> None:
        """Nothing was prepared."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """The average."""
        return self.kept.state_dict()

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state_dict`."""
        self.kept.load_state_dict(tensors)
        self.kept.give(self.module)
