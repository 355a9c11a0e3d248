"""Students taught from guides on Fashion-MNIST: what an epoch costs, three students from one guide, quality by signal
and by the number of views.

Needs Debian's dataset-fashion-mnist. Sections can be named: `guide_students.py epoch students signals views`.
Every section prints rows of Markdown; students are compared on validation examples, over several seeds.
"""

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from limbeck import students, teachers
from limbeck.core.protocols import SignalSource
from limbeck.core.runtime import Runtime, seed_everything
from limbeck.data.loader import TrainingBatches, evaluation_batches
from limbeck.data.open import open_source
from limbeck.data.preprocess import Prepared, Preprocess, PreprocessSpec, normalisation
from limbeck.data.subset import Subset
from limbeck.data.views import Views, op_named
from limbeck.guide.plan import facts_of
from limbeck.guide.read import Guide, open_guide
from limbeck.guide.spec import LogitsSpec, SampledSpec, SignalSpec, TopKSpec, bytes_per_example
from limbeck.guide.write import write_guide
from limbeck.measuring.evaluate import Evaluator
from limbeck.objectives import HardLabels, SoftTargets, WeightedSum, as_sum
from limbeck.task import named
from limbeck.teachers.live import LiveTeacher
from limbeck.training.loop import train
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

FASHION = Path("/usr/share/datasets/fashion-mnist")
BATCH, EPOCHS, SEEDS = 256, 8, 3
RUNTIME = Runtime("cpu", 1)
SOFT = as_sum(SoftTargets(2))


@dataclass
class World:
    source: Subset
    validation: Subset
    teacher: LiveTeacher
    preprocess: PreprocessSpec
    views: Views

    def fit(
        self,
        objective: WeightedSum,
        teacher: SignalSource | None,
        *,
        seed: int,
        epochs: int,
        views: Views | None = None,
    ) -> tuple[float, float]:
        """Seconds, and accuracy on validation, of an 11K-parameter student."""
        seed_everything(seed)
        core = students.build({"family": "convnet", "width": 16, "depth": 4}, inputs=(1, 28, 28), outputs=10)
        return fit(Prepared(core, Preprocess(self.preprocess)), self, objective, teacher, seed, epochs, views)

    def guide(self, folder: Path, *, count: int, spec: SignalSpec | None = None) -> Guide:
        write_guide(
            folder, teacher=self.teacher, facts=facts_of(self.teacher), source=self.source, views=self.views,
            count=count, spec=spec,
        )  # fmt: skip
        return open_guide(folder)


def fit(model, world, objective, teacher, seed, epochs, views=None, rate=3e-3) -> tuple[float, float]:
    steps = epochs * len(world.source) // BATCH
    result = train(
        model, [Stage(objective, steps, TrainSettings(learning_rate=rate, evaluations=1))],
        batches=TrainingBatches(world.source, views=views or world.views, batch_size=BATCH, seed=seed),
        teacher=teacher, evaluate=evaluator(world.validation), runtime=RUNTIME, seed=seed,
    )  # fmt: skip
    return result.seconds, result.history[-1]["values"]["val/accuracy"]


def evaluator(validation: Subset) -> Evaluator:
    return Evaluator(lambda: evaluation_batches(validation, BATCH), named("multiclass"))


def world(examples: int = 12_000, teacher_epochs: int = 6) -> World:
    whole = open_source(FASHION, split="train")
    order = np.random.default_rng(0).permutation(len(whole))
    preprocess = normalisation(torch.from_numpy(whole.read(np.arange(5000))))
    seed_everything(0)
    module = teachers.build({"family": "resnet", "width": 32, "depth": 1}, inputs=(1, 28, 28), outputs=10)
    made = World(
        source=Subset(whole, np.sort(order[:examples])),
        validation=Subset(whole, np.sort(order[-5000:])),
        teacher=LiveTeacher(module, preprocess=preprocess, classes=tuple(whole.classes)),
        preprocess=preprocess,
        views=Views((op_named("shift", pixels=2), op_named("flip"))),
    )
    module.requires_grad_(True)
    model = Prepared(module, Preprocess(preprocess))
    _, accuracy = fit(model, made, as_sum(HardLabels()), None, 0, teacher_epochs, rate=2e-3)
    module.requires_grad_(False)
    size = sum(p.numel() for p in module.parameters())
    print(f"teacher: {size:,} parameters, {100 * accuracy:.2f}% on {len(made.validation):,} validation examples\n")
    return made


def epoch(world: World) -> None:
    """One epoch of the same student on the same views, interleaved."""
    steps = len(world.source) // BATCH
    seconds: dict[str, list[float]] = {"hard labels": [], "guide": [], "live teacher": []}
    with tempfile.TemporaryDirectory() as folder:
        written = world.guide(Path(folder) / "g", count=1)
        for seed in range(4):
            for name, objective, source in (
                ("hard labels", as_sum(HardLabels()), None),
                ("guide", SOFT, written),
                ("live teacher", SOFT, world.teacher),
            ):
                taken, _ = world.fit(objective, source, seed=seed, epochs=1)
                seconds[name].append(taken / steps)
    print("| student epoch | ms a step, median | against hard labels, paired median |\n|---|---|---|")
    for name, values in seconds.items():
        ratio = statistics.median(v / b for v, b in zip(values, seconds["hard labels"], strict=True))
        print(f"| {name} | {1e3 * statistics.median(values):.1f} | {ratio:.3f} |")
    print()


def three(world: World, epochs: int = 4) -> None:
    """Three students from one guide against three with a live teacher: total time, labelling included."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        written = world.guide(Path(folder) / "g", count=epochs)
        labelling = time.perf_counter() - start
        for seed in range(3):
            world.fit(SOFT, written, seed=seed, epochs=epochs)
        from_guide = time.perf_counter() - start
    start = time.perf_counter()
    for seed in range(3):
        world.fit(SOFT, world.teacher, seed=seed, epochs=epochs)
    live = time.perf_counter() - start
    print(
        f"three students, {epochs} epochs each: {from_guide:.0f} s from one guide (of it {labelling:.0f} s labelling), "
        f"{live:.0f} s with a live teacher: {live / from_guide:.2f} times\n"
    )


def signals(world: World) -> None:
    """Student quality by signal, all at temperature 2 and four views."""
    specs = {
        "float32 logits": SignalSpec(LogitsSpec()),
        "float16 logits": SignalSpec(LogitsSpec("float16")),
        "top-3": SignalSpec(TopKSpec(3, (2.0,))),
        "top-1": SignalSpec(TopKSpec(1, (2.0,))),
        "10 draws": SignalSpec(SampledSpec(10, 2.0)),
        "2 draws": SignalSpec(SampledSpec(2, 2.0)),
    }
    views = Views(world.views.ops, world.views.seed, 4)
    print("| signal | bytes a view | validation accuracy, mean of seeds (sd) |\n|---|---|---|")
    for name, spec in specs.items():
        with tempfile.TemporaryDirectory() as folder:
            written = world.guide(Path(folder) / "g", count=4, spec=spec)
            found = [world.fit(SOFT, written, seed=s, epochs=EPOCHS, views=views)[1] for s in range(SEEDS)]
        print(f"| {name} | {bytes_per_example(spec, 10)} | {mean(found)} |", flush=True)
    print()


def views(world: World) -> None:
    """Student quality by the number of views that come round."""
    print("| views K | validation accuracy, mean of seeds (sd) |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        written = world.guide(Path(folder) / "g", count=EPOCHS)
        for count in (1, 2, 4, None):
            seen = Views(world.views.ops, world.views.seed, count)
            found = [world.fit(SOFT, written, seed=s, epochs=EPOCHS, views=seen)[1] for s in range(SEEDS)]
            print(f"| {count or f'{EPOCHS}: one an epoch'} | {mean(found)} |", flush=True)
    print()


def mean(values: list[float]) -> str:
    return f"{100 * statistics.mean(values):.2f}% ({100 * statistics.stdev(values):.2f})"


SECTIONS = {"epoch": epoch, "students": three, "signals": signals, "views": views}

if __name__ == "__main__":
    torch.set_num_threads(1)
    everything = world()
    for section in sys.argv[1:] or SECTIONS:
        SECTIONS[section](everything)
