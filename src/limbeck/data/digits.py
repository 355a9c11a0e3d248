"""The embedded data set: scikit-learn's 1797 handwritten digits of 8 x 8 pixels (Alpaydin & Kaynak 1998)."""

from collections.abc import Sequence

import numpy as np

from limbeck.data.memory import ArraySource, from_arrays
from limbeck.data.split import stratified
from limbeck.errors import DataError

_BRIGHTEST = 16
_TEST_SHARE = 0.2
_PARTITION_SEED = 0


def open_digits(split: str, *, name: str, classes: Sequence[str] | None = None) -> ArraySource:
    """The digits' fixed partition: a fifth of each class (359 images in all) is "test", the other 1438 are "train".

    scikit-learn ships one undivided set, so the partition is Limbeck's own: `split.stratified` with seed 0. Pixels of
    0..16 become `round(255 / 16 * pixel)`. The writers of the two parts are not kept apart.

    Raises:
        DataError: another split is asked for.
    """
    if split not in ("train", "test"):
        raise DataError(f"digits: there is no {split!r} part, only 'train' and 'test'; leave data.{split} out")
    from sklearn.datasets import load_digits

    pixels, target = load_digits(return_X_y=True)
    images = np.rint(pixels.reshape(-1, 8, 8) * (255 / _BRIGHTEST)).astype(np.uint8)
    rows = stratified(target, _TEST_SHARE, _PARTITION_SEED)[split == "test"]
    return from_arrays(images[rows], target[rows], name=name, classes=classes, default_classes=tuple("0123456789"))
