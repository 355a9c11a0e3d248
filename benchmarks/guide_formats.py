"""Measures shard formats for study guides; prints the tables of docs/decisions on the guide's format.

A row is 10 float32 logits. Random reads are of 256 rows, as one training step asks for them. The candidates:
safetensors files mapped into memory (as `limbeck.guide` reads them), Arrow IPC mapped into memory, read by its own
`take` and as plain NumPy arrays, Zarr v3 with and without compression. The object store is fsspec's in-memory one, so
requests and bytes are counted, and the network is not timed.

Run: python benchmarks/guide_formats.py [rows ...]        (default: 100000 1000000 10000000)
Needs: pip install pyarrow zarr
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import fsspec
import numpy as np
from fsspec.implementations.memory import MemoryFileSystem

from limbeck.guide.manifest import shard_name
from limbeck.guide.shard import open_shard, serialised
from limbeck.guide.spec import Column

BATCH, CLASSES, BLOCK = 256, 10, 1 << 16
SHARD_ROWS = 25 * BLOCK  # 62.5 MiB
COLUMN = (Column("logits", "float32", (CLASSES,)),)

Read = Callable[[Any], Any]


def blocks(rows: int) -> Iterator[np.ndarray]:
    """Logits with the entropy of real ones; one block again and again, so that making them costs no time."""
    block = np.random.default_rng(0).normal(scale=5, size=(BLOCK, CLASSES)).astype(np.float32)
    for start in range(0, rows, BLOCK):
        yield block[: min(BLOCK, rows - start)]


def gathered(parts: list[np.ndarray], rows: np.ndarray, size: int) -> np.ndarray:
    """Rows of arrays laid end to end, as `limbeck.guide.read` gathers them."""
    numbers, places = np.divmod(rows, size)
    order = np.argsort(numbers, kind="stable")
    result = np.empty((len(rows), CLASSES), np.float32)
    for mine in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
        result[mine] = parts[int(numbers[mine[0]])][places[mine]]
    return result


class Safetensors:
    name = "safetensors, mapped"

    def write(self, folder: Path, rows: int) -> None:
        (folder / "shards").mkdir(parents=True)
        waiting = blocks(rows)
        for number in range(-(-rows // SHARD_ROWS)):
            logits = np.concatenate(list(islice(waiting, SHARD_ROWS // BLOCK)))
            (folder / shard_name(number)).write_bytes(serialised({"logits": logits}))

    def open(self, folder: Path, rows: int) -> Read:
        counts = [min(SHARD_ROWS, rows - start) for start in range(0, rows, SHARD_ROWS)]
        parts = [open_shard(folder / shard_name(n), COLUMN, count)["logits"] for n, count in enumerate(counts)]
        return lambda chosen: gathered(parts, chosen, SHARD_ROWS)

    def remote(self, files: Any, root: str, rows: int) -> Read:
        """Shards are copied whole when they are first touched."""
        cache, parts = Path(tempfile.mkdtemp()), {}

        def read(chosen: np.ndarray) -> np.ndarray:
            for number in np.unique(chosen // SHARD_ROWS).tolist():
                if number not in parts:
                    path = cache / f"{number}.safetensors"
                    path.write_bytes(files.cat_file(f"{root}/{shard_name(number)}"))
                    count = min(SHARD_ROWS, rows - number * SHARD_ROWS)
                    parts[number] = open_shard(path, COLUMN, count)["logits"]
            all_parts = [parts.get(n, np.empty(0)) for n in range(max(parts) + 1)]
            return gathered(all_parts, chosen, SHARD_ROWS)

        return read


@dataclass
class Arrow:
    name: str
    plain: bool

    def write(self, folder: Path, rows: int) -> None:
        import pyarrow as pa

        folder.mkdir()
        kind = pa.list_(pa.float32(), CLASSES)
        schema = pa.schema([("logits", kind)])
        with pa.OSFile(str(folder / "rows.arrow"), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for block in blocks(rows):
                values = pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), CLASSES)
                writer.write_batch(pa.record_batch([values], schema=schema))

    def open(self, folder: Path, _rows: int) -> Read:
        import pyarrow as pa

        table = pa.ipc.open_file(pa.memory_map(str(folder / "rows.arrow"))).read_all()
        if not self.plain:
            return lambda chosen: self._taken(table, chosen)
        parts = [part.values.to_numpy().reshape(-1, CLASSES) for part in table.column("logits").chunks]
        return lambda chosen: gathered(parts, chosen, BLOCK)

    def remote(self, files: Any, root: str, _rows: int) -> Read:
        """Record batches are fetched when they are touched, and kept."""
        import pyarrow as pa

        reader = pa.ipc.open_file(files.open(f"{root}/rows.arrow", block_size=1 << 16))
        batches: dict[int, Any] = {}

        def read(chosen: np.ndarray) -> Any:
            for number in np.unique(chosen // BLOCK).tolist():
                batches.setdefault(number, None)
                if batches[number] is None:
                    batches[number] = reader.get_batch(number)
            return [batches[number] for number in batches]

        return read

    @staticmethod
    def _taken(table: Any, chosen: np.ndarray) -> np.ndarray:
        taken = table.column("logits").take(chosen)
        return np.concatenate([part.flatten().to_numpy() for part in taken.chunks]).reshape(-1, CLASSES)


@dataclass
class Zarr:
    name: str
    compressors: Any
    chunk: int = 4096

    def write(self, folder: Path, rows: int) -> None:
        import zarr

        array = zarr.create_array(
            store=str(folder), shape=(rows, CLASSES), chunks=(self.chunk, CLASSES), dtype="float32",
            compressors=self.compressors, zarr_format=3,
        )  # fmt: skip
        start = 0
        for block in blocks(rows):
            array[start : start + len(block)] = block
            start += len(block)

    def open(self, folder: Path, _rows: int) -> Read:
        import zarr

        array = zarr.open_array(str(folder), mode="r")
        return lambda chosen: array.oindex[chosen]

    def remote(self, files: Any, root: str, _rows: int) -> Read:
        import zarr
        from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

        store = zarr.storage.FsspecStore(AsyncFileSystemWrapper(files, asynchronous=True), path=root, read_only=True)
        array = zarr.open_array(store, mode="r")
        return lambda chosen: array.oindex[chosen]


class Counting(MemoryFileSystem):
    """An object store that counts what is asked of it."""

    protocol = "counting"
    requests = transferred = 0

    def cat_file(self, path: str, start: Any = None, end: Any = None, **keywords: Any) -> bytes:
        content: bytes = super().cat_file(path, start, end, **keywords)
        Counting.requests += 1
        Counting.transferred += len(content)
        return content

    def open(self, path: str, mode: str = "rb", **keywords: Any) -> Any:
        return Counted(super().open(path, mode, **keywords))


class Counted:
    """A file of which every read is a ranged request."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        content: bytes = self.file.read(size)
        Counting.requests += 1
        Counting.transferred += len(content)
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def candidates() -> list[Any]:
    arrow = [Arrow("Arrow IPC, mapped, take", plain=False), Arrow("Arrow IPC, mapped, as NumPy", plain=True)]
    return [Safetensors(), *arrow, Zarr("Zarr v3, zstd", "auto"), Zarr("Zarr v3, plain", None)]


def milliseconds(read: Read, rows: int, repeats: int) -> tuple[float, float]:
    """Median and 95th percentile of reading random batches, after a warm-up."""
    rng = np.random.default_rng(1)
    times = []
    for _ in range(repeats + 3):
        chosen = rng.integers(0, rows, BATCH)
        start = perf_counter()
        read(chosen)
        times.append(1000 * (perf_counter() - start))
    del times[:3]
    return float(np.median(times)), float(np.percentile(times, 95))


def local(counts: list[int]) -> None:
    print("| rows | format | written, s | bytes a row | opened, ms | 256 random rows, ms (p50 / p95) |")
    print("|---|---|---|---|---|---|")
    for rows in counts:
        for form in candidates():
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name) / "guide"
                os.sync()  # or this format pays for what the last one left to the disk
                start = perf_counter()
                form.write(folder, rows)
                os.sync()
                written = perf_counter() - start
                size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                start = perf_counter()
                read = form.open(folder, rows)
                opened = 1000 * (perf_counter() - start)
                p50, p95 = milliseconds(read, rows, 200 if rows < 10**7 and "Zarr" not in form.name else 30)
                del read
            cells = f"{written:.2f} | {size / rows:.1f} | {opened:.1f} | {p50:.2f} / {p95:.2f}"
            print(f"| {rows:,} | {form.name} | {cells} |", flush=True)


def remote(rows: int) -> None:
    print(f"\n| object store, {rows:,} rows | requests: first batch | MB | requests: batch 100 | MB | MB in all |")
    print("|---|---|---|---|---|---|")
    fsspec.register_implementation("counting", Counting, clobber=True)
    for form in candidates():
        if getattr(form, "plain", False):
            continue  # fetched as by take
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "guide"
            form.write(folder, rows)
            files = Counting()
            MemoryFileSystem().put(str(folder), "/stored", recursive=True)  # both share one memory
            Counting.requests = Counting.transferred = 0
            read = form.remote(files, "/stored", rows)
            rng, seen = np.random.default_rng(1), []
            for _ in range(100):
                before = Counting.requests, Counting.transferred
                read(rng.integers(0, rows, BATCH))
                seen.append((Counting.requests - before[0], (Counting.transferred - before[1]) / 1e6))
            files.rm("/stored", recursive=True)
        (first, first_mb), (last, last_mb) = seen[0], seen[-1]
        print(
            f"| {form.name} | {first} | {first_mb:.1f} | {last} | {last_mb:.1f} | {Counting.transferred / 1e6:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    if not (find_spec("pyarrow") and find_spec("zarr")):
        sys.exit("skipped: pip install pyarrow zarr")
    local([int(count) for count in sys.argv[1:]] or [10**5, 10**6, 10**7])
    remote(10**6)
