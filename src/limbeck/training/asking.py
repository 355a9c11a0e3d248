"""The student as an objective hears it: its answers, its activations at taps, its input gradients."""

from contextlib import ExitStack

from torch import Tensor, nn

from limbeck.core.batch import Batch
from limbeck.core.input_gradient import asked_with_gradient
from limbeck.core.needs import Needs
from limbeck.core.outputs import inner
from limbeck.core.signals import Signals
from limbeck.data.preprocess import Prepared
from limbeck.tapping import tapped
from limbeck.training.engine import Engine


def own_part(model: nn.Module) -> nn.Module:
    """The module whose parts have the names that their owner knows: without preprocessing and adaptors around it."""
    return inner(model.core if isinstance(model, Prepared) else model)


class Asking:
    """Asks the prepared student for all that an objective reads of it.

    Hooks stay for the whole stage, since a compiled forward pass sees those that were there when it was compiled.

    Args:
        engine: the prepared student.
        needs: what is read of it.
    """

    def __init__(self, engine: Engine, needs: Needs) -> None:
        self.engine, self.needs = engine, needs
        self._hooks = ExitStack()
        self._read: dict[str, Tensor] = {}
        if needs.student_taps:
            self._read = self._hooks.enter_context(
                tapped(own_part(engine.trained), needs.student_taps, whose="student")
            )

    def signals(self, batch: Batch) -> Signals:
        """With a graph: what the student says about each row."""
        if self.needs.input_gradient:
            logits, gradient = asked_with_gradient(self.engine.forward, batch, student=True)
            return Signals(logits=logits, features=self._features(), input_gradient=gradient)
        return Signals(logits=self.engine.forward(batch.inputs), features=self._features())

    def _features(self) -> dict[str, Tensor]:
        features = {path: self._read[path] for path in self.needs.student_taps}
        self.forget()
        return features

    def forget(self) -> None:
        """Lets go of what the last pass left, which may have been somebody else's, to measure the student."""
        self._read.clear()

    def close(self) -> None:
        """Takes the hooks off again."""
        self.forget()
        self._hooks.close()
