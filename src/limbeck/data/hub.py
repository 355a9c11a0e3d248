"""Hugging Face data sets: of the hub (`hf:owner/name`), of a folder (`hf:./folder`), saved on disk, or as objects."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from limbeck.core.optional import require
from limbeck.data.split_names import WORDS
from limbeck.data.table import PICTURES, ROWS, Kind, Table, kind_of
from limbeck.errors import DataError, LimbeckError

PREFIX = "hf:"
_MORE_WORDS = {"validation": ("dev",), "unlabelled": ("unsupervised",)}
_MOST_PARTS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a data set is.

    Attributes:
        name: on the hub, "owner/name"; or a folder.
        config: which of its configurations.
        revision: branch, tag or commit.
        local: whether it is a folder.
    """

    name: str
    config: str | None = None
    revision: str | None = None
    local: bool = False


def is_hub(where: Any) -> bool:  # noqa: ANN401
    """Whether it names a Hugging Face data set."""
    return isinstance(where, str) and where.startswith(PREFIX)


def place(where: str) -> Place:
    """What stands after `hf:`.

    Raises:
        DataError: it cannot be read.

    Example:
        >>> place("hf:ylecun/mnist@main")
        Place(name='ylecun/mnist', config=None, revision='main', local=False)
        >>> place("hf:nyu-mll/glue/mrpc").config, place("hf:./photos").local
        ('mrpc', True)
    """
    text = where.removeprefix(PREFIX)
    if text.startswith((".", "/", "~")) or Path(text).is_absolute():
        return Place(text, local=True)
    name, _, revision = text.partition("@")
    parts = name.split("/")
    if not all(parts) or len(parts) > _MOST_PARTS or (revision == "" and "@" in text):
        raise DataError(f"{where}: expected hf:owner/name, hf:owner/name/config, maybe @revision, or hf:./folder")
    return Place("/".join(parts[:2]), parts[2] if len(parts) == _MOST_PARTS else None, revision or None)


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    )


def is_object(where: Any) -> bool:  # noqa: ANN401
    """Whether it is a data set of that library."""
    return type(where).__module__.partition(".")[0] == "datasets" and hasattr(where, "with_format")


def splits_of(where: Any) -> list[str]:  # noqa: ANN401
    """What the splits of a data set are called: by name, in a folder, or an object; empty where it is only one."""
    if isinstance(where, Mapping):
        return [str(each) for each in where]
    if is_object(where):
        return []
    if is_hub(where):
        at = place(str(where))
        folder = Path(at.name).expanduser()
        if not (at.local and is_saved(folder)):
            with _quiet() as datasets, _said(str(where), at):
                name = str(folder) if at.local else at.name
                found = datasets.get_dataset_split_names(name, at.config, revision=at.revision)
            return [str(each) for each in found]
        where = folder
    listing = Path(where) / "dataset_dict.json"
    if not listing.is_file():
        return []
    return [str(each) for each in json.loads(listing.read_text(encoding="utf-8"))["splits"]]


def brings_split(where: Any, split: str) -> bool:  # noqa: ANN401
    """Whether a data set has a split of that meaning."""
    return _named(splits_of(where), split) is not None


def open_hub(where: str | Path, split: str, *, streaming: bool) -> Table:
    """One split of a data set by name or folder.

    Args:
        where: `hf:...`, or a folder that `save_to_disk` wrote.
        split: "train", "test", "validation" or "unlabelled"; of a data set with one split that one is taken.
        streaming: whether it is read as it comes instead of being stored first.

    Raises:
        DataError: there is no such data set or split, or the hub cannot be reached.
        MissingDependencyError: datasets is not installed.
    """
    at = place(str(where)) if is_hub(where) else Place(str(where), local=True)
    folder = Path(at.name).expanduser()
    with _quiet() as datasets, _said(str(where), at):
        if at.local and not folder.is_dir():
            raise DataError(f"{where}: no such folder (looked from {Path.cwd()})")
        if at.local and is_saved(folder):
            found = datasets.load_from_disk(str(folder))
        else:
            name = str(folder) if at.local else at.name
            found = datasets.load_dataset(name, at.config, revision=at.revision, streaming=streaming)
        return open_object(found, split, what=str(where), streaming=streaming)


def open_object(found: Any, split: str, *, what: str, streaming: bool = False) -> Table:  # noqa: ANN401
    """One split of a data set that is there.

    Args:
        found: a `Dataset`, an `IterableDataset`, or a mapping of them by split.
        split: as in `open_hub`.
        what: for messages.
        streaming: whether it is read as a stream even if it need not be.

    Raises:
        DataError: there is no such split.
    """
    if isinstance(found, Mapping):
        names = list(found)
        name = _named(names, split) or (names[0] if len(names) == 1 else None)
        if name is None:
            raise DataError(f"{what}: no split for {split!r} among {', '.join(names)}; leave data.{split} out")
        found = found[name]
    if streaming and hasattr(found, "to_iterable_dataset"):
        found = found.to_iterable_dataset()
    with _quiet(), _said(what, None):
        return _table(found, what)


def _table(found: Any, what: str) -> Table:  # noqa: ANN401
    features = found.features
    if features is None:  # of a stream that has not begun yet
        first = next(iter(found.with_format("arrow").iter(PICTURES)), None)
        schema = () if first is None else first.schema
        names: dict[str, tuple[str, ...]] = {}
    else:
        schema = features.arrow_schema
        names = {name: tuple(kind.names) for name, kind in features.items() if type(kind).__name__ == "ClassLabel"}
    kinds: dict[str, Kind] = {field.name: kind_of(field.type) for field in schema}

    def batches(wanted: Mapping[str, Kind]) -> Iterator[Any]:
        rows = PICTURES if "picture" in wanted.values() else ROWS
        with _quiet(), _said(what, None):
            yield from found.select_columns(list(wanted)).with_format("arrow").iter(rows)

    return Table(what, kinds, names, None, batches, stream=not hasattr(found, "__len__"))


def _named(names: list[str], split: str) -> str | None:
    words = (*WORDS[split], *_MORE_WORDS.get(split, ()))
    return next((name for word in words for name in names if name == word), None)


@contextmanager
def _quiet() -> Iterator[ModuleType]:
    """The library, without its bars and without counting anybody's downloads."""
    datasets = require("datasets", extra="data", purpose="Hugging Face data sets")
    counts, bars = datasets.config.HF_UPDATE_DOWNLOAD_COUNTS, datasets.are_progress_bars_disabled()
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    datasets.disable_progress_bars()
    logger = logging.getLogger("huggingface_hub.utils._http")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it retries, and tells of each time
    try:
        yield datasets
    finally:
        datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = counts
        if not bars:
            datasets.enable_progress_bars()
        logger.setLevel(level)


@contextmanager
def _said(what: str, at: Place | None) -> Iterator[None]:
    """The library's complaints as errors that name the mend."""
    try:
        yield
    except LimbeckError:
        raise
    except ConnectionError as error:
        name = at.name if at is not None else what
        raise DataError(
            f"{what}: the hub cannot be reached ({_first(error)}); connect, or fetch the data where there is a network "
            f'(datasets.load_dataset("{name}").save_to_disk("folder")) and give that folder'
        ) from error
    except FileNotFoundError as error:
        raise DataError(f"{what}: no such data set, or not for everybody ({_first(error)})") from error
    except Exception as error:  # builders and file readers raise anything
        raise DataError(f"{what}: cannot be loaded: {_first(error)}") from error


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
