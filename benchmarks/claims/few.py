"""A tenth of Fashion-MNIST's training pictures, the first of the file: few enough for a small student to fit."""

import gzip
from pathlib import Path

import numpy as np

FOLDER = Path("/usr/share/datasets/fashion-mnist")
COUNT = 6_000


def _read(name: str, offset: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress((FOLDER / name).read_bytes()), dtype=np.uint8, offset=offset)


def training() -> tuple[np.ndarray, np.ndarray]:
    """Pictures `(6000, 1, 28, 28)` uint8 and their labels."""
    pictures = _read("train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[:COUNT]
    return pictures, _read("train-labels-idx1-ubyte.gz", 8)[:COUNT].astype(np.int64)


def testing() -> tuple[np.ndarray, np.ndarray]:
    """All 10,000 test pictures."""
    pictures = _read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
    return pictures, _read("t10k-labels-idx1-ubyte.gz", 8).astype(np.int64)
