"""Map-style PyTorch data sets: read once, in order, into a spool, from which contents and labels are then taken."""

import sys
from collections.abc import Sequence
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from limbeck.data.images import channels_of, is_picture, pixels
from limbeck.data.layout import as_numpy, laid_out
from limbeck.data.memory import ArraySource, from_arrays
from limbeck.data.spool import mapped, spool
from limbeck.errors import DataError

_CHECKED_ROWS = 8
_PAIR = 2


class MapStyle(Protocol):
    """What `torch.utils.data.Dataset` promises."""

    def __len__(self) -> int:
        """How many examples there are."""
        ...

    def __getitem__(self, row: int, /) -> Any:  # noqa: ANN401 - (x, y) or x
        """One example."""
        ...


def map_style(given: Any) -> MapStyle:  # noqa: ANN401 - whatever the user calls data
    """The data set itself; of a `DataLoader`, whose batches carry no row numbers, its `.dataset`.

    Raises:
        DataError: a stream, or something that is no data set.
    """
    torch_data = sys.modules.get("torch.utils.data")
    if torch_data is not None and isinstance(given, torch_data.DataLoader):
        given = given.dataset
    is_stream = torch_data is not None and isinstance(given, torch_data.IterableDataset)
    what = type(given).__name__
    indexed = hasattr(given, "__len__") and hasattr(given, "__getitem__")
    if is_stream or (hasattr(given, "__iter__") and not indexed):
        raise DataError(
            f"{what} is a stream: its examples have no row numbers, so they have no ids that a second pass would find "
            "again; give a map-style data set (__len__ and __getitem__), or write it to .npz or an image folder"
        )
    if not indexed or isinstance(given, dict):
        raise DataError(
            f"data of type {what} cannot be opened; give a path, arrays (x, y), "
            "or a data set with __len__ and __getitem__"
        )
    dataset: MapStyle = given
    return dataset


def open_dataset(dataset: MapStyle, *, name: str, classes: Sequence[str] | None = None) -> ArraySource:
    """A source over a map-style data set whose items are `(x, y)` or `x` alone.

    `x` is a uint8 or float tensor or array, or a Pillow image; `y` a class index, or `None`, NaN or -1 where unknown.
    Class names are taken from the data set's `classes`, where it has them.

    Raises:
        DataError: no items, items of another kind or of several shapes, or items that differ when read again.
    """
    n = len(dataset)
    if n == 0:
        raise DataError(f"{name}: the data set is empty")
    row = _Row(name, dataset[0])
    with spool() as file:
        labels = [row.write(file, dataset[index], index) for index in range(n)]
        contents = mapped(file, row.dtype, (n, *row.shape))
    _check_repeats(dataset, contents, row)
    return from_arrays(contents, np.array(labels), name=name, classes=classes, own_classes=_classes(dataset))


class _Row:
    """How items are read: all must be like the first one."""

    def __init__(self, name: str, first: object) -> None:
        self.name = name
        x, _ = _pair(first, name, 0)
        self.channels = channels_of(x, name) if is_picture(x) else 0
        array = self._array(x, 0)
        self.shape, self.dtype = array.shape, array.dtype

    def read(self, item: object, index: int) -> tuple[NDArray[Any], float]:
        x, y = _pair(item, self.name, index)
        array = self._array(x, index)
        if array.shape != self.shape or array.dtype != self.dtype:
            raise DataError(
                f"{self.name}: row {index} is {array.dtype} of shape {array.shape}, row 0 {self.dtype} of shape "
                f"{self.shape}; resize in the data set, so that all are alike"
            )
        return array, _label(y, self.name, index)

    def write(self, file: IO[bytes], item: object, index: int) -> float:
        array, label = self.read(item, index)
        file.write(np.ascontiguousarray(array).data)
        return label

    def _array(self, x: Any, index: int) -> NDArray[Any]:  # noqa: ANN401
        if is_picture(x):
            return pixels(x, self.channels or 3, None, f"{self.name}, row {index}")
        array = as_numpy(x)
        contents, spec = laid_out(array[None], f"{self.name}, row {index}")
        return np.asarray(contents[0], dtype=spec.dtype)


def _pair(item: Any, name: str, index: int) -> tuple[Any, Any]:  # noqa: ANN401
    """Input and label of an item."""
    if isinstance(item, dict):
        raise DataError(
            f"{name}: row {index} is a dict with keys {', '.join(map(str, item))}; give (x, y), "
            "for instance by a data set that returns (item['image'], item['label'])"
        )
    if not isinstance(item, tuple | list):
        return item, None
    if len(item) > _PAIR or not item:
        raise DataError(f"{name}: row {index} has {len(item)} parts; give (x, y) or x alone")
    return item[0], item[1] if len(item) == _PAIR else None


def _label(y: Any, name: str, index: int) -> float:  # noqa: ANN401
    if y is None:
        return float("nan")
    array = as_numpy(y)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise DataError(
            f"{name}: the label of row {index} is {type(y).__name__} of shape {array.shape}; give one class index"
        )
    return float(array.reshape(())[()])


def _classes(dataset: Any) -> tuple[str, ...] | None:  # noqa: ANN401
    """Names from `.classes`, also of the data set that a `torch.utils.data.Subset` wraps."""
    while not hasattr(dataset, "classes") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    names = getattr(dataset, "classes", None)
    if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


def _check_repeats(dataset: MapStyle, contents: NDArray[Any], row: _Row) -> None:
    """Reads a few rows again.

    Raises:
        DataError: one of them is not what it was.
    """
    for index in np.unique(np.linspace(0, len(contents) - 1, _CHECKED_ROWS).astype(int)).tolist():
        again, _ = row.read(dataset[index], index)
        if again.tobytes() != contents[index].tobytes():
            raise DataError(
                f"{row.name}: row {index} differs when it is read again; move augmentation into views, so that every "
                "example is the same each time"
            )
