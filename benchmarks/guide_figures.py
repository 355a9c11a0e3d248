"""Measures study guides: how fast they are written and read, how large they are, and the memory that reading takes.

Labelling is timed against the bare forward pass of the same teacher over the same tensors, alternately, in processor
time of one thread, so that a busy machine does not decide. Reading is timed on synthetic guides.

Run: python benchmarks/guide_figures.py [throughput bytes reading]        (default: all; throughput takes minutes)
Needs: Fashion-MNIST as IDX files (Debian's dataset-fashion-mnist) for throughput.
"""

import gc
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.data.open import open_source
from limbeck.data.preprocess import PreprocessSpec
from limbeck.data.subset import Subset
from limbeck.data.view_ops import Flip, Shift
from limbeck.data.viewed import Viewed
from limbeck.data.views import Views
from limbeck.guide.answers import Place
from limbeck.guide.examples import sorted_rows
from limbeck.guide.manifest import DataFacts, TeacherFacts, ViewFacts
from limbeck.guide.plan import facts_of
from limbeck.guide.read import Guide, open_guide
from limbeck.guide.spec import LogitsSpec, SampledSpec, SignalSpec, TopKSpec, bytes_per_example
from limbeck.guide.write import write_answers, write_guide
from limbeck.teachers.live import LiveTeacher
from limbeck.teachers.resnet import ResNet

FASHION = Path("/usr/share/datasets/fashion-mnist")
EXAMPLES, VIEWS = 8192, 2


def throughput(repeats: int = 5) -> None:
    """A ResNet of width 32, depth 1 on Fashion-MNIST with shifted and flipped views."""
    torch.set_num_threads(1)
    whole = open_source(FASHION, split="train")
    source = Subset(whole, np.arange(EXAMPLES))
    views = Views((Shift(2), Flip()), count=VIEWS)
    torch.manual_seed(0)
    net = ResNet(inputs=source.spec.shape, outputs=10, width=32, depth=1)
    teacher = LiveTeacher(net, preprocess=PreprocessSpec(scale=1 / 255), classes=tuple(source.classes))
    tensors = list(_tensors(source, views, teacher.chunk))
    facts = facts_of(teacher)
    print("| signals | bare forward, rows/s | labelling, rows/s | share (aim: at least 0.95) |")
    print("|---|---|---|---|")
    for spec in (SignalSpec(), SignalSpec(LogitsSpec("float16")), SignalSpec(TopKSpec(5)), SignalSpec(SampledSpec(16))):
        bare, whole_time = [], []
        for _ in range(repeats):
            with tempfile.TemporaryDirectory() as folder:
                start = process_time()
                write_guide(
                    Path(folder) / "g", teacher=teacher, facts=facts, source=source, views=views, count=VIEWS, spec=spec
                )
                whole_time.append(process_time() - start)
            start = process_time()
            with torch.no_grad():
                for raw in tensors:
                    teacher.module(teacher.preprocess(raw))
            bare.append(process_time() - start)
        rows, one, other = EXAMPLES * VIEWS, float(np.median(bare)), float(np.median(whole_time))
        share = float(np.median(np.array(bare) / np.array(whole_time)))
        print(f"| {spec} | {rows / one:,.0f} | {rows / other:,.0f} | {share:.3f} |", flush=True)


def _tensors(source: Subset, views: Views, chunk: int) -> Iterator[torch.Tensor]:
    _, order = sorted_rows(source)
    viewed = Viewed(source, views)
    for view in range(VIEWS):
        for start in range(0, len(order), chunk):
            rows = np.asarray(order[start : start + chunk])
            inputs = viewed.batch(viewed.read(rows, np.full(len(rows), view))).inputs
            assert isinstance(inputs, torch.Tensor)
            yield inputs


def sizes() -> None:
    """Bytes an example, from the layout."""
    print("| classes | views | float32 | float16 | top-8 | top-32 | top-128 | 50 draws |")
    print("|---|---|---|---|---|---|---|---|")
    for classes, views in ((10, 4), (1000, 1), (1000, 4), (150_000, 1)):
        specs = [LogitsSpec(), LogitsSpec("float16"), *(TopKSpec(k) for k in (8, 32, 128) if k < classes)]
        cells = [f"{bytes_per_example(SignalSpec(spec), classes, views):,}" for spec in specs]
        cells += ["-"] * (5 - len(cells))
        drawn = bytes_per_example(SignalSpec(SampledSpec(50)), classes, views)
        print(f"| {classes:,} | {views} | {' | '.join(cells)} | {drawn:,} |")


class Numbers:
    """Answers that cost nothing."""

    def __init__(self, classes: int) -> None:
        self.logits = 5 * torch.randn(1 << 16, classes)

    def __call__(self, places: Iterable[Place]) -> Iterator[Signals]:
        for place in places:
            yield Signals(logits=self.logits[: len(place.ids)])


def synthetic(folder: Path, examples: int, count: int, classes: int, spec: SignalSpec) -> Guide:
    ids = np.sort(np.random.default_rng(0).integers(-(2**63), 2**63, examples))
    write_answers(
        folder,
        answers=Numbers(classes),
        facts=TeacherFacts(fingerprint="synthetic"),
        data=DataFacts(fingerprint="synthetic", examples=examples),
        views=ViewFacts(fingerprint="synthetic", seed=0, count=count, path="batched"),
        ids=ids,
        spec=spec,
        batch_rows=1 << 16,
    )
    return open_guide(folder)


def memory() -> tuple[int, int]:
    """Bytes of this process that cannot be dropped, and mapped pages that can."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    held = {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines if line.startswith("Rss")}
    return held["RssAnon"], held["RssFile"]


def reading() -> None:
    """Random batches of 256 (id, view) pairs, and memory after 2000 of them."""
    print("| examples x views | signals | on disk | shards | opened, s | first touch, s | batch, ms (p50 / p95) | own "
          "memory, bytes an example | mapped pages, bytes an example |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    top = SignalSpec(TopKSpec(32))
    for examples, count, classes, spec in (
        (100_000, 1, 10, SignalSpec()),
        (1_000_000, 1, 10, SignalSpec()),
        (10_000_000, 1, 10, SignalSpec()),
        (100_000, 4, 1000, SignalSpec()),
        (1_000_000, 4, 1000, top),
    ):
        with tempfile.TemporaryDirectory() as name:
            written = synthetic(Path(name), examples, count, classes, spec)
            manifest = written.manifest
            del written
            gc.collect()
            before = memory()
            start = perf_counter()
            guide = open_guide(name)
            opened = perf_counter() - start
            start = perf_counter()
            for shard in manifest.shards:
                guide.read(np.array([shard.first_row]))
            touched = perf_counter() - start
            p50, p95 = batches(guide, count)
            gc.collect()
            after = memory()
            own, mapped = ((b - a) / examples for a, b in zip(before, after, strict=True))
            cells = f"{manifest.bytes / 1e6:,.0f} MB | {len(manifest.shards)} | {opened:.2f} | {touched:.1f}"
            print(
                f"| {examples:,} x {count} | {spec} | {cells} | {p50:.2f} / {p95:.2f} | {own:.2f} | {mapped:.1f} |",
                flush=True,
            )
            del guide


def batches(guide: Guide, count: int, repeats: int = 2000) -> tuple[float, float]:
    rng, times = np.random.default_rng(1), []
    for _ in range(repeats):
        ids = torch.from_numpy(guide.ids[rng.integers(0, len(guide.ids), 256)])
        batch = Batch(ids, torch.from_numpy(rng.integers(0, count, 256)), torch.zeros(256))
        start = perf_counter()
        guide.signals(batch)
        times.append(1000 * (perf_counter() - start))
    return float(np.median(times)), float(np.percentile(times, 95))


if __name__ == "__main__":
    chosen = sys.argv[1:] or ["throughput", "bytes", "reading"]
    for part, measure in (("throughput", throughput), ("bytes", sizes), ("reading", reading)):
        if part in chosen and (part != "throughput" or FASHION.is_dir()):
            measure()
            print()
