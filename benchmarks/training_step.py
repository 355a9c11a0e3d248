"""A whole training step against a bare hand-written PyTorch loop doing the same work, block by block in one process.

Fashion-MNIST (Debian package dataset-fashion-mnist; random pictures of the same size where it is absent), an
11K-parameter student, batch 256, views shift(2) and flip. Prints the ratio of median step times, and the share of the
step that goes into data and views.
"""

import math
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from limbeck import students
from limbeck.core.runtime import Runtime
from limbeck.data.loader import TrainingBatches
from limbeck.data.memory import from_arrays
from limbeck.data.open import open_source
from limbeck.data.preprocess import Prepared, Preprocess, PreprocessSpec
from limbeck.data.views import Views, op_named
from limbeck.objectives import HardLabels, as_sum
from limbeck.training.loop import train
from limbeck.training.settings import TrainSettings
from limbeck.training.sitting import Stage

FASHION = Path("/usr/share/datasets/fashion-mnist")
BATCH, STEPS, ROUNDS, RATE = 256, 60, 8, 3e-3


def data():
    if FASHION.is_dir():
        return open_source(FASHION, split="train")
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (60_000, 1, 28, 28), dtype=np.uint8)
    return from_arrays(x, generator.integers(0, 10, 60_000), name="noise/train")


def student() -> nn.Module:
    torch.manual_seed(0)
    return students.build({"family": "convnet", "width": 16, "depth": 4}, inputs=(1, 28, 28), outputs=10)


def limbeck_steps(source, views) -> float:
    model = Prepared(student(), Preprocess(PreprocessSpec(scale=1 / 255, mean=(0.286,), std=(0.353,))))
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            model,
            [Stage(as_sum(HardLabels()), STEPS, TrainSettings(learning_rate=RATE, evaluations=1))],
            batches=TrainingBatches(source, views=views, batch_size=BATCH, seed=0),
            teacher=None, evaluate=lambda _model: {}, runtime=Runtime("cpu", 1), seed=0, store=Path(folder),
        )  # fmt: skip
    return result.seconds / STEPS


def shifted(x, pixels, generator):
    """Shift and flip as a person would write it who cares for speed: one gather."""
    rows = len(x)
    down, right = torch.randint(-pixels, pixels + 1, (2, rows, 1), generator=generator)
    flip = torch.rand(rows, 1, generator=generator) < 0.5
    i, j = torch.arange(28) - down + pixels, torch.arange(28) - right + pixels
    j = torch.where(flip, j.flip(1), j)
    padded = F.pad(x, (pixels,) * 4).squeeze(1)
    return padded[torch.arange(rows)[:, None, None], i[:, :, None], j[:, None, :]].unsqueeze(1)


def bare_steps(images, labels) -> float:
    model = student().to(memory_format=torch.channels_last)
    decay = [p for p in model.parameters() if p.ndim > 1]
    other = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.01}, {"params": other, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, fused=True)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(images), generator=generator)
    model.train()
    start = time.perf_counter()
    for step in range(STEPS):
        rows = order[step * BATCH : (step + 1) * BATCH]
        x = shifted(images[rows], 2, generator)
        x = ((x.float() / 255 - 0.286) / 0.353).contiguous(memory_format=torch.channels_last)
        for group in optimiser.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        loss = F.cross_entropy(model(x), labels[rows])
        if not math.isfinite(loss.item()):
            raise ValueError("the loss is not finite")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return (time.perf_counter() - start) / STEPS


def data_seconds(source, views) -> float:
    batches = TrainingBatches(source, views=views, batch_size=BATCH, seed=0).from_step(0)
    next(batches)
    start = time.perf_counter()
    for _ in range(STEPS):
        next(batches)
    return (time.perf_counter() - start) / STEPS


def main() -> None:
    torch.set_num_threads(1)
    source = data()
    views = Views((op_named("shift", pixels=2), op_named("flip")))
    images = torch.from_numpy(np.ascontiguousarray(source.read(np.arange(len(source)))))
    labels = torch.from_numpy(source.labels.astype(np.int64))
    limbeck_steps(source, views), bare_steps(images, labels)  # warm-up
    ours, bare, reading = [], [], []
    for _ in range(ROUNDS):
        bare.append(bare_steps(images, labels))
        ours.append(limbeck_steps(source, views))
        reading.append(data_seconds(source, views))
    pairs = sorted(a / b for a, b in zip(ours, bare, strict=True))
    print(f"limbeck {1e3 * statistics.median(ours):.2f} ms a step, bare loop {1e3 * statistics.median(bare):.2f} ms")
    print(f"ratio, paired by block: median {statistics.median(pairs):.3f}, range {pairs[0]:.3f} to {pairs[-1]:.3f}")
    share = statistics.median(r / o for r, o in zip(reading, ours, strict=True))
    print(f"data and views: {1e3 * statistics.median(reading):.2f} ms, {100 * share:.1f}% of the step")


if __name__ == "__main__":
    main()
