"""Deep mutual learning (Zhang et al. 2018, arXiv 1706.00384): students without a teacher teach one another."""

import copy
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from limbeck.core.batch import Batch
from limbeck.core.protocols import Objective
from limbeck.core.runtime import Runtime
from limbeck.core.signals import Signals
from limbeck.errors import ModelError, NonFiniteError
from limbeck.training import accumulate, checkpoint
from limbeck.training.engine import Engine
from limbeck.training.growing import refuse_insides
from limbeck.training.optimiser import build_optimiser, set_learning_rate
from limbeck.training.settings import TrainSettings
from limbeck.training.together import rows_of_all


class Peers:
    """The student's peers: each hears all the others, and learns by the student's own objective and settings.

    All are asked about a batch, then each learns from what the others said, then all take their step: the paper's
    parallel form, in which no peer comes first.

    Args:
        models: one or more of the student's kind, with other initial weights; without the student itself.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.models = tuple(models)
        self.learners: tuple[_Learner, ...] = ()
        self.said: tuple[Tensor, ...] = ()

    def begin(self, model: nn.Module, objective: Objective, settings: TrainSettings, runtime: Runtime) -> None:
        """Each peer gets an objective, an optimiser, and a place on the device."""
        del model
        refuse_insides(objective)
        if runtime.strategy == "fsdp" or runtime.mixed_precision == "fp16" or settings.compile:
            raise ModelError("teacher.peers: train with strategy: ddp, no fp16 and without train.compile")
        self.learners = tuple(_Learner(each, objective, settings, runtime) for each in self.models)

    def signals(self, batch: Batch) -> Signals:
        """What the peers say to the student; their graphs are kept for `learn`."""
        self.said = tuple(each.engine.forward(batch.inputs) for each in self.learners)
        return Signals(logits=mixed(self.said))

    def learn(self, student: Signals, batch: Batch, progress: float, shares: Sequence[float] | None) -> None:
        """Adds to each peer's gradient."""
        assert student.logits is not None, "a student gives logits"
        for number, (learner, own) in enumerate(zip(self.learners, self.said, strict=True)):
            others = [each for other, each in enumerate(self.said) if other != number]
            learner.learn(own, mixed([student.logits, *others]), batch, progress, shares, name=f"peer {number + 2}")
        self.said = ()

    def follow(self, model: nn.Module, rate: float, done: int) -> None:
        """Each peer takes its step."""
        del model, done
        for learner in self.learners:
            learner.step(rate)

    def close(self) -> None:
        """Takes what training put on the models off again."""
        for learner in self.learners:
            learner.engine.release(learner.model)
            learner.model.eval()

    def state_dict(self) -> Mapping[str, Tensor]:
        """Weights, objectives and optimisers of all."""
        return {
            f"{number}/{name}": value
            for number, learner in enumerate(self.learners)
            for name, value in learner.state_dict().items()
        }

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state_dict`."""
        for number, learner in enumerate(self.learners):
            learner.load_state_dict(checkpoint.below(f"{number}/", tensors))


def mixed(logits: Sequence[Tensor]) -> Tensor:
    """Several models' answers as one: of two or more, logits of the mean of their probabilities; detached.

    The paper's student hears the mean of `KL(p_j || p)` over the others j. That is `KL(mean of p_j || p)` plus what
    does not depend on the student, so both have the same gradient. A temperature other than 1 softens the mean, not
    each; of one other there is no difference.

    Args:
        logits: `(b, classes)` each, at least one.

    Example:
        >>> mixed([torch.tensor([[0.0, math.log(3)]]), torch.tensor([[0.0, 0.0]])]).softmax(1)
        tensor([[0.3750, 0.6250]])
    """
    plain = [each.detach() for each in logits]
    if len(plain) == 1:
        return plain[0]
    return torch.stack([each.log_softmax(1) for each in plain]).logsumexp(0) - math.log(len(plain))


class _Learner:
    """One peer in training."""

    def __init__(self, model: nn.Module, objective: Objective, settings: TrainSettings, runtime: Runtime) -> None:
        assert isinstance(objective, nn.Module), "objectives are modules"
        self.model, self.settings = model.train(), settings
        self.objective = copy.deepcopy(objective)
        self.engine = Engine(runtime, model, self.objective)
        self.optimiser = self.engine.prepare(build_optimiser([model, self.objective], settings))

    def learn(
        self, own: Tensor, heard: Tensor, batch: Batch, progress: float, shares: Sequence[float] | None, *, name: str
    ) -> None:
        """Adds the gradient of what the peer said, given what it heard."""
        student, said = Signals(logits=own), Signals(logits=heard)
        if accumulate.couples(self.objective):
            student, said, batch = rows_of_all(student), rows_of_all(said), rows_of_all(batch)
        hears = self.objective.needs_teacher(progress)
        terms = self.objective(student, said if hears else None, batch, progress, shares)
        loss = torch.stack(list(terms.values())).sum()
        if not math.isfinite(loss.item()):
            raise NonFiniteError(f"{name}: its loss is not finite; lower train.learning_rate or set train.clip_norm")
        self.engine.backward(loss)

    def step(self, rate: float) -> None:
        set_learning_rate(self.optimiser, rate)
        self.engine.descend(self.optimiser, self.settings.clip_norm)
        self.optimiser.zero_grad()

    def state_dict(self) -> dict[str, Tensor]:
        parts = {"model": self.model, "objective": self.objective}
        own = {f"{part}/{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}
        return own | checkpoint.optimiser_state(self.optimiser)

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        self.model.load_state_dict(checkpoint.below("model/", tensors))
        self.objective.load_state_dict(checkpoint.below("objective/", tensors))
        checkpoint.load_optimiser(self.optimiser, tensors)
