"""Predictions and qualities of a torch module on held-out batches."""

from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from limbeck.core import processes
from limbeck.errors import DataError, ModelError
from limbeck.task import Array, Task

if TYPE_CHECKING:
    from torch import Tensor, nn

    from limbeck.core.batch import Batch


class Evaluator:
    """Fills the role `Evaluate`: every score of the task on a split, for training curves.

    Args:
        batches: opens the split anew at each call; rows without a target and padding (weight 0) are left out. Of
            several processes each opens its share, every `world`-th batch.
        task: says what the scores are.
        split: what the names begin with.
    """

    def __init__(self, batches: "Callable[[], Iterable[Batch]]", task: Task, *, split: str = "val") -> None:
        self._batches = batches
        self._task = task
        self._split = split

    def __call__(self, model: "nn.Module") -> Mapping[str, float]:
        """Evaluates in eval mode without gradients and leaves the model as it was found.

        Args:
            model: raw views in, logits out.

        Returns:
            Means by name: `val/accuracy`, `val/nll`, ...

        Raises:
            DataError: the split holds no labelled example.
        """
        logits, target = _together(_answers(model, self._batches()))
        known = np.flatnonzero(target >= 0)
        if not known.size:
            raise DataError(f"{self._split}: no example is labelled, so nothing can be measured on it; label some")
        scores = self._task.scores(logits[known], target[known])
        return {f"{self._split}/{name}": float(rows.mean()) for name, rows in scores.items()}


def predict(model: "nn.Module", batches: "Iterable[Batch]") -> Float[np.ndarray, "n *outputs"]:
    """Logits in float32, row for row as the batches come, without padding (weight 0).

    The model runs on the device it lies on, in eval mode without gradients, and keeps the mode it was found in.

    Args:
        model: raw views in, logits out.
        batches: moved to the model's device.

    Returns:
        One row an example.

    Raises:
        ModelError: the model returns something else than one tensor, one row an example.
        DataError: there are no batches.
    """
    return _whole(_answers(model, batches))[0]


def _answers(model: "nn.Module", batches: "Iterable[Batch]") -> list[tuple[Array, Array]]:
    """Logits and targets batch by batch; a target is -1 where unknown."""
    import torch

    from limbeck.core.modes import evaluating
    from limbeck.measuring.modes import device_of

    device = device_of(model)
    answers: list[tuple[Array, Array]] = []
    with evaluating(model), torch.inference_mode():
        for batch in batches:
            real = slice(None) if batch.weight is None else np.flatnonzero(batch.weight.numpy(force=True) > 0)
            output = _checked(model(batch.to(device).inputs), len(batch))
            answers.append((output.float().numpy(force=True)[real], _targets(batch)[real]))
    return answers


def _together(own: list[tuple[Array, Array]]) -> tuple[Float[np.ndarray, "n *outputs"], Int[np.ndarray, " n"]]:
    """The answers of all processes in the order of one: batch 0 of each, then batch 1, ..."""
    every = processes.gather(own)
    rounds = zip_longest(*every)
    return _whole([answer for one in rounds for answer in one if answer is not None])


def _whole(answers: list[tuple[Array, Array]]) -> tuple[Float[np.ndarray, "n *outputs"], Int[np.ndarray, " n"]]:
    if not answers:
        raise DataError("predict: there are no examples; give a split with at least one")
    logits, targets = zip(*answers, strict=True)
    return np.concatenate(logits), np.concatenate(targets)


def _targets(batch: "Batch") -> Int[np.ndarray, " b"]:
    if batch.target is None:
        return np.full(len(batch), -1, dtype=np.int64)
    target = batch.target.numpy(force=True)
    return target if batch.target_mask is None else np.where(batch.target_mask.numpy(force=True), target, -1)


def _checked(output: object, rows: int) -> "Tensor":
    from torch import Tensor

    if not isinstance(output, Tensor):
        raise ModelError(
            f"the model must return one tensor of logits, it returned {type(output).__name__}; "
            "wrap it in a module that returns the logits"
        )
    if output.ndim == 0 or len(output) != rows:
        raise ModelError(f"the model was given {rows} examples and returned shape {tuple(output.shape)}; one row each")
    return output
