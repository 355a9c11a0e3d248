"""Measures a transfer set far larger than the labelled one: 200 digits with labels, 100,000 pictures without.

The unlabelled pictures are scikit-learn's other training digits, shifted by up to a pixel, with a little noise. Memory
is what Python still holds (tracemalloc) and the process's anonymous memory; pages of mapped files can be dropped.

Run: python benchmarks/large_transfer.py [rows]        (default: 100000)
"""

import gc
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from time import process_time
from typing import TypeVar

import numpy as np
import torch

from limbeck.data.loader import TrainingBatches
from limbeck.data.open import open_source
from limbeck.data.preprocess import PreprocessSpec
from limbeck.data.view_ops import Shift
from limbeck.data.views import Views
from limbeck.guide.plan import facts_of
from limbeck.guide.read import open_guide
from limbeck.guide.spec import SignalSpec
from limbeck.guide.write import write_guide
from limbeck.recipe import from_mapping
from limbeck.runs.given import Given
from limbeck.runs.splits import Splits, open_splits
from limbeck.task import named
from limbeck.teachers.live import LiveTeacher
from limbeck.teachers.wide_mlp import WideMLP

LABELLED = 200
_T = TypeVar("_T")


def write(folder: Path, rows: int) -> None:
    """labelled.npz, test.npz, unlabelled.npy and unlabelled.npz."""
    digits, held = (open_source("digits", split=split) for split in ("train", "test"))
    x, y = digits.read(np.arange(len(digits)))[:, 0], np.array(digits.labels)
    random = np.random.default_rng(0)
    order = random.permutation(len(x))
    np.savez(folder / "labelled.npz", x=x[order[:LABELLED]], y=y[order[:LABELLED]])
    np.savez(folder / "test.npz", x=held.read(np.arange(len(held)))[:, 0], y=held.labels)
    chosen = np.pad(x[order[LABELLED:]], [(0, 0), (1, 1), (1, 1)])[random.integers(0, len(x) - LABELLED, rows)]
    moves, made = random.integers(0, 3, (rows, 2)), np.empty((rows, 8, 8), np.uint8)
    for down, right in np.ndindex(3, 3):
        here = (moves == (down, right)).all(1)
        noise = random.integers(-8, 9, (int(here.sum()), 8, 8))
        made[here] = (chosen[here, down : down + 8, right : right + 8] + noise).clip(0, 255)
    np.save(folder / "unlabelled.npy", made)
    np.savez_compressed(folder / "unlabelled.npz", x=made)
    np.save(folder / "warm.npy", made[:100])


def split(folder: Path, unlabelled: str) -> Splits:
    names = {"train": "labelled.npz", "test": "test.npz", "unlabelled": unlabelled}
    data = {key: str(folder / name) for key, name in names.items()}
    return open_splits(from_mapping({"data": data, "teacher": {"train": {}}}), Given(), named("multiclass"))


def measured(make: Callable[[], _T]) -> tuple[_T, float, int, int]:
    """What was made, processor seconds, bytes that Python holds for it, bytes of anonymous memory more than before."""
    gc.collect()
    before, start = anonymous(), process_time()
    made = make()
    seconds = process_time() - start
    gc.collect()
    grown = anonymous() - before
    del made
    gc.collect()
    tracemalloc.start()
    made = make()
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return made, seconds, held, grown


def anonymous() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


def main(rows: int) -> None:
    torch.set_num_threads(1)
    print("| what | processor time | held, bytes an example | anonymous memory, bytes an example |\n|---|---|---|---|")

    def row(what: str, seconds: float, held: int | None, grown: int) -> None:
        print(f"| {what} | {seconds:.2f} s | {'' if held is None else f'{held / rows:.1f}'} | {grown / rows:.1f} |",
              flush=True)  # fmt: skip

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, rows)
        split(folder, "warm.npy")  # imports are not the data's
        for unlabelled in ("unlabelled.npz", "unlabelled.npy"):
            splits, seconds, held, grown = measured(lambda which=unlabelled: split(folder, which))
            row(f"opening and splitting, {unlabelled}", seconds, held, grown)
        views = Views((Shift(1),), count=1)

        def one_pass() -> TrainingBatches:
            batches = TrainingBatches(splits.transfer, views=views, batch_size=256, seed=0)
            for _ in islice(batches.from_step(0), len(splits.transfer) // 256):
                pass
            return batches

        _, seconds, held, grown = measured(one_pass)
        row("one pass, shifted, batches of 256", seconds, held, grown)
        torch.manual_seed(0)
        net = WideMLP(inputs=splits.transfer.spec.shape, outputs=10, width=256, depth=2)
        teacher = LiveTeacher(net, preprocess=PreprocessSpec(scale=1 / 255), classes=tuple(splits.transfer.classes))
        before, start = anonymous(), process_time()
        write_guide(
            folder / "guide", teacher=teacher, facts=facts_of(teacher), source=splits.transfer, views=views, count=1,
            spec=SignalSpec(),
        )  # fmt: skip
        row("writing the guide", process_time() - start, None, anonymous() - before)
        _, seconds, held, grown = measured(lambda: open_guide(folder / "guide"))
        row("opening the guide", seconds, held, grown)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100_000)
