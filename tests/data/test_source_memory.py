"""At most 16 bytes an example stay in memory, whatever the source; and spools leave nothing behind."""

import errno
import gc
import gzip
import struct
import tempfile
import tracemalloc
from itertools import islice

import numpy as np
import pytest

from limbeck.data.files import Texts
from limbeck.data.loader import TrainingBatches
from limbeck.data.open import open_source
from limbeck.data.split import stratified
from limbeck.data.spool import parked, spool
from limbeck.data.subset import Subset
from limbeck.data.views import Views
from limbeck.errors import StorageError

N, SIDE = 150_000, 10


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    root = tmp_path_factory.mktemp("large")
    images = np.zeros((N, SIDE, SIDE), np.uint8)
    labels = (np.arange(N) % 10).astype(np.uint8)
    for name, array in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        data = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
        (root / name).write_bytes(data)
        (root / f"packed-{name}.gz").write_bytes(gzip.compress(data, 1))
    np.savez_compressed(root / "large.npz", x=images, y=labels)
    return root


def kept(make):
    """Bytes that Python still holds for what `make` returns."""
    gc.collect()
    tracemalloc.start()
    try:
        made = make()
        gc.collect()
        return tracemalloc.get_traced_memory()[0], made
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["", "packed-train-images-idx3-ubyte.gz", "large.npz"])
def test_a_source_keeps_at_most_sixteen_bytes_an_example(files, name):
    kept(lambda: open_source("digits", split="train"))  # imports are not the source's
    size, source = kept(lambda: open_source(files / name, split="train"))
    assert len(source) == N
    assert size / N <= 16


def test_training_on_a_split_of_it_keeps_no_more(files):
    def training():
        source = open_source(files, split="train")
        rows, _ = stratified(source.labels, 0.1, 0)
        batches = TrainingBatches(Subset(source, rows), views=Views(), batch_size=256, seed=0).from_step(0)
        list(islice(batches, 3))
        return batches

    size, _ = kept(training)
    assert size / N <= 16


def test_texts_cost_nothing_a_row():
    texts = [f"class {i % 7}/ünï {i}.png" for i in range(N)]
    size, stored = kept(lambda: Texts(texts))
    assert size / N < 1
    assert [stored[row] for row in (0, 77_777, N - 1)] == [texts[row] for row in (0, 77_777, N - 1)]
    assert len(stored) == N


def test_parked_numbers_are_the_same_and_cannot_be_written():
    numbers = np.arange(300_000)
    stored = parked(numbers)
    assert np.array_equal(stored, numbers)
    assert not stored.flags.writeable


def test_a_spool_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stored = parked(np.arange(300_000))
    assert list(tmp_path.iterdir()) == []
    assert stored[-1] == 299_999


def test_a_full_disk_names_the_folder_and_the_mend():
    with pytest.raises(StorageError, match="set TMPDIR"), spool():
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="other"), spool():
        raise OSError(errno.EIO, "other")
