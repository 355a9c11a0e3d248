"""What `train.compile: true` saves, and what compiling costs: an 11K-parameter student on the CPU, one thread.

Eager and compiled trainings alternate. Steps are timed one by one in processor time, which other work on the machine
disturbs least; the first steps, in which the compiler works, are told apart.
"""

import statistics
import time

import numpy as np
import torch

from limbeck import students
from limbeck.core.runtime import Runtime
from limbeck.data.loader import TrainingBatches
from limbeck.data.memory import from_arrays
from limbeck.data.preprocess import Prepared, Preprocess, PreprocessSpec
from limbeck.data.views import Views, op_named
from limbeck.objectives import HardLabels, as_sum
from limbeck.training.loop import train
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

BATCH, STEPS, FIRST, ROUNDS = 256, 40, 5, 5


class Timed:
    """Batches that note the processor time at which each was asked for."""

    def __init__(self, batches):
        self.batches, self.asked = batches, []

    def from_step(self, step):
        for batch in self.batches.from_step(step):
            self.asked.append(time.process_time())
            yield batch


def source():
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (20_000, 1, 28, 28), dtype=np.uint8)
    return from_arrays(x, generator.integers(0, 10, 20_000), name="noise/train")


def steps(data, *, compiled: bool) -> tuple[float, float]:
    """Seconds of the first steps together, and of a later one (median)."""
    torch.manual_seed(0)
    core = students.build({"family": "convnet", "width": 16, "depth": 4}, inputs=(1, 28, 28), outputs=10)
    views = Views((op_named("shift", pixels=2), op_named("flip")))
    timed = Timed(TrainingBatches(data, views=views, batch_size=BATCH, seed=0))
    begun = time.process_time()
    train(
        Prepared(core, Preprocess(PreprocessSpec(scale=1 / 255, mean=(0.286,), std=(0.353,)))),
        [Stage(as_sum(HardLabels()), STEPS, TrainSettings(evaluations=1, compile=compiled))],
        batches=timed, teacher=None, evaluate=lambda _model: {}, runtime=Runtime("cpu", 1), seed=0,
    )  # fmt: skip
    later = [b - a for a, b in zip(timed.asked[FIRST:], timed.asked[FIRST + 1 :], strict=False)]
    return timed.asked[FIRST] - begun, statistics.median(later)


def main() -> None:
    torch.set_num_threads(1)
    data = source()
    pairs = [(steps(data, compiled=False), steps(data, compiled=True)) for _ in range(ROUNDS)]
    ratios = sorted(compiled[1] / eager[1] for eager, compiled in pairs)
    cost = [compiled[0] - eager[0] for eager, compiled in pairs]
    eager = statistics.median(eager[1] for eager, _ in pairs)
    print(f"a step: eager {1e3 * eager:.1f} ms; compiled over eager {statistics.median(ratios):.2f}", end=" ")
    print(f"({ratios[0]:.2f} to {ratios[-1]:.2f})")
    print(f"compiling: {cost[0]:.1f} s the first time, then {statistics.median(cost[1:]):.1f} s a training")


if __name__ == "__main__":
    main()
