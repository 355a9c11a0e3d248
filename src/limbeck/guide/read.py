"""`Guide`: a signal source that remembers. Rows are found by (example id, view number), and read from mapped files."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from limbeck.core.batch import Batch
from limbeck.core.identity import file_fingerprint
from limbeck.core.signals import Signals
from limbeck.errors import GuideError
from limbeck.guide.codec import decode
from limbeck.guide.expect import Expectation, differences
from limbeck.guide.manifest import MANIFEST, PLAN, IndexFile, Manifest, Shard, parse_manifest
from limbeck.guide.shard import open_shard
from limbeck.guide.store import Store, open_store

_REWRITE = "write it again (the same command keeps what is whole)"


def open_guide(
    where: str | Path, *, expect: Expectation | None = None, cache: Path | None = None, check: bool = True
) -> "Guide":
    """Opens a finished guide.

    Args:
        where: its folder, or a URL that fsspec can open ("s3://...", "memory://...").
        expect: what the reader counts on; `None` takes the guide as it is.
        cache: folder for copies of remote files; by default below the user's cache folder.
        check: hashes the index now and each shard when it is first touched. Without it only sizes are compared.

    Returns:
        A signal source.

    Raises:
        GuideError: there is no guide, it is unfinished or damaged, or it is not what is expected; names what.
    """
    store = open_store(where, cache)
    manifest = read_manifest(store)
    if expect is not None:
        found = differences(manifest, expect)
        if found:
            raise GuideError(f"{store.where} is not the guide that is needed: {'; '.join(found)}. Write one that fits")
    require_size(store, manifest.index.file, manifest.index.bytes)
    for shard in manifest.shards:
        require_size(store, shard.file, shard.bytes)
    any_view = expect is not None and expect.any_view
    return Guide(manifest, store, check=check, any_view=any_view)


def read_manifest(store: Store) -> Manifest:
    """The manifest of a guide.

    Raises:
        GuideError: it is absent or damaged.
    """
    if store.bytes_of(MANIFEST) is None:
        if store.bytes_of(PLAN) is not None:
            raise GuideError(f"{store.where} is not finished: run the command that writes it again, and it goes on")
        raise GuideError(f"{store.where} holds no guide: there is no {MANIFEST}")
    return parse_manifest(store.read(MANIFEST), store.where)


def require_size(store: Store, name: str, expected: int) -> None:
    """Raises `GuideError` unless the file is there and has that size."""
    size = store.bytes_of(name)
    if size is None:
        raise GuideError(f"{store.where} lacks {name}: copy it again, or {_REWRITE}")
    if size != expected:
        raise GuideError(
            f"{store.where}: {name} has {size:,} bytes, the manifest says {expected:,}: it is cut off or was changed; "
            f"copy it again, or {_REWRITE}"
        )


def fetch_checked(store: Store, name: str, sha256: str) -> Path:
    """The local file, its contents compared with the manifest; a bad copy of a remote file is fetched once more.

    Raises:
        GuideError: it was changed since it was written.
    """
    for again in (False, True):
        path = store.fetch(name, sha256, again=again)
        if file_fingerprint(path) == sha256:
            return path
    raise GuideError(f"{store.where}: {name} was changed since it was written; copy it again, or {_REWRITE}")


class Guide:
    """What a teacher said about every view of every example, read on demand.

    The ids lie in one sorted, mapped file, so nothing an example is kept in memory; shards are opened when a row of
    theirs is first asked for.

    Args:
        manifest: what is in it.
        store: where its files are.
        check: whether files are hashed when they are first touched.
        any_view: answers every view number with the only view there is.

    Raises:
        GuideError: the index is damaged, or `any_view` is asked of a guide of several views.
    """

    def __init__(self, manifest: Manifest, store: Store, *, check: bool = True, any_view: bool = False) -> None:
        if any_view and manifest.plan.views.count != 1:
            raise GuideError(f"{store.where} holds {manifest.plan.views.count} views of each example: name the one")
        self.manifest, self.store = manifest, store
        self._check, self._any_view = check, any_view
        self._plan, self._columns = manifest.plan, manifest.plan.columns
        self._ids = np.asarray(np.load(self._file(manifest.index), mmap_mode="r"))
        if self._ids.shape != (manifest.plan.data.examples,) or self._ids.dtype != np.int64:
            raise GuideError(f"{store.where}: {manifest.index.file} does not hold {manifest.plan.data.examples:,} ids")
        self._open: list[dict[str, NDArray[Any]] | None] = [None] * len(manifest.shards)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Class names in the order of the logits; `None` where the outputs are no classes."""
        return self._plan.teacher.classes

    @property
    def ids(self) -> Int[np.ndarray, " n"]:
        """All example ids, sorted; mapped."""
        return self._ids

    def fingerprint(self) -> str:
        """SHA-256 of the manifest, which holds the checksum of every file."""
        return self.manifest.sha256

    def signals(self, batch: Batch) -> Signals:
        """What the teacher said about these views of these examples, in float32 on the batch's device.

        Raises:
            GuideError: the guide does not hold an example or view; names it.
        """
        rows = self.rows(batch.ids.cpu().numpy(), batch.views.cpu().numpy())
        return decode(self.read(rows), self._plan.signals, batch.ids.device)

    def rows(self, ids: Int[np.ndarray, " b"], views: Int[np.ndarray, " b"]) -> Int[np.ndarray, " b"]:
        """Where each (example id, view number) stands.

        Raises:
            GuideError: it stands nowhere.
        """
        count, n = self._plan.views.count, self._plan.data.examples
        ranks = np.searchsorted(self._ids, ids)
        found = self._ids[np.minimum(ranks, n - 1)] == ids
        if not found.all():
            bad = np.flatnonzero(~found)
            raise GuideError(
                f"{self.store.where} knows nothing of example {int(ids[bad[0]])} ({len(bad)} of {len(ids)} in this "
                f"batch): it was written about other data; {_REWRITE}"
            )
        if self._any_view:
            return ranks
        wrong = np.flatnonzero((views < 0) | (views >= count))
        if wrong.size:
            row = int(wrong[0])
            raise GuideError(
                f"{self.store.where} holds views 0 to {count - 1}, but view {int(views[row])} of example "
                f"{int(ids[row])} was asked for; set views.count to {count}, or write more views"
            )
        rows: NDArray[np.int64] = views.astype(np.int64) * n + ranks
        return rows

    def read(self, rows: Int[np.ndarray, " b"]) -> dict[str, NDArray[Any]]:
        """The stored arrays of these rows, copied, in their order."""
        order = np.argsort(rows)  # each shard is asked once, and its pages in order
        shards, places = np.divmod(rows[order], self._plan.rows_per_shard)
        ends = np.append(np.flatnonzero(np.diff(shards)) + 1, len(rows)).tolist() if len(rows) else []
        result = {c.name: np.empty((len(rows), *c.shape), dtype=c.dtype) for c in self._columns}
        for start, end in pairwise([0, *ends]):
            opened = self._shard(int(shards[start]))
            for name, into in result.items():
                # mode: places are known to be within, and checking would make take write to a copy first
                opened[name].take(places[start:end], axis=0, out=into[start:end], mode="clip")
        back = np.empty_like(order)
        back[order] = np.arange(len(rows))
        return {name: values.take(back, axis=0) for name, values in result.items()}

    def _shard(self, number: int) -> dict[str, NDArray[Any]]:
        opened = self._open[number]
        if opened is None:
            entry = self.manifest.shards[number]
            opened = self._open[number] = open_shard(self._file(entry), self._columns, entry.rows)
        return opened

    def _file(self, entry: Shard | IndexFile) -> Path:
        fetch = fetch_checked if self._check else _fetch
        return fetch(self.store, entry.file, entry.sha256)


def _fetch(store: Store, name: str, sha256: str) -> Path:
    return store.fetch(name, sha256)
