"""A whole training step of the 10,474-parameter Fashion-MNIST student, the teacher's signals given as from a guide."""

from contextlib import ExitStack

import torch
from torch import Tensor

from limbeck import students
from limbeck.core.input_gradient import asked_with_gradient
from limbeck.core.signals import Signals
from limbeck.objectives import SoftTargets, as_sum
from limbeck.tapping import tapped

from .measure import Timed, added
from .methods import CLASSES, PICTURES, SOFT, TEACHER, batch_for, objective

PLACES = {"map": "body.2", "map-2": "body.4"}
"""Where the student's maps of 32 x 7 x 7 are."""


class TrainingStep(Timed):
    """Forward pass, objective, backward pass, optimiser; in the memory layout that training uses.

    What reads the insides of models, or relates rows, stands beside soft targets; the others stand in their stead.
    """

    def __init__(self, method: str) -> None:
        made, self.batch = objective(method), batch_for(method)
        beside = made.needs().insides or made.couples_batch
        self.objective = as_sum(SoftTargets(**SOFT) + made if beside else made)
        self.needs = self.objective.needs()
        torch.manual_seed(0)
        net = students.build({"family": "convnet", "width": 16, "depth": 4}, inputs=(1, 28, 28), outputs=CLASSES)
        self.net = net.to(memory_format=torch.channels_last)
        self.pictures = PICTURES.contiguous(memory_format=torch.channels_last)
        parameters = [*net.parameters(), *self.objective.parameters()]
        self.optimiser = torch.optim.AdamW(parameters, lr=1e-3, fused=True)
        self.hooks, self.read = ExitStack(), {}
        if self.needs.student_taps:
            self.read = self.hooks.enter_context(tapped(net, list(PLACES.values())))
        super().__init__(self.loss, parameters)

    def loss(self) -> Tensor:
        return added(self.objective(self._asked(), TEACHER, self.batch))

    def _asked(self) -> Signals:
        if self.needs.input_gradient:
            logits, gradient = asked_with_gradient(self.net, self.batch, student=True)
            return Signals(logits, input_gradient=gradient)
        logits = self.net(self.pictures)
        if not self.needs.student_taps:
            return Signals(logits)
        found = {name: self.read.pop(place) for name, place in PLACES.items()}
        tokens = [found[name].flatten(2).transpose(1, 2) for name in ("map", "map-2", "map")]
        return Signals(logits, found | dict(zip(("tokens", "tokens-2", "tokens-3"), tokens, strict=True)))

    def __call__(self) -> None:
        super().__call__()
        self.optimiser.step()
