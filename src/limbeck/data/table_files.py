"""Tables in files: CSV, TSV and Parquet; one file, a folder of them, or a pattern such as `data/part-*.csv`."""

import glob
import json
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from limbeck.core.numbers import is_number
from limbeck.core.optional import require
from limbeck.data.images import SUFFIXES, shown
from limbeck.data.split_names import WORDS
from limbeck.data.table import PICTURES, ROWS, Kind, Table, arrow, kind_of
from limbeck.errors import DataError

_TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_BINARY = (".parquet", ".pq")
_DATA = SUFFIXES | {".npy", ".npz"}
_BLOCK_BYTES = 1 << 20
"""Arrow reads some forty of them ahead, so this bounds the memory that a long file takes."""
_DELIMITERS = (",", ";", "\t", "|")


def is_table(path: Path) -> bool:
    """Whether a file is named as a table."""
    return path.name.lower().endswith((*_TEXT, *_BINARY))


def is_pattern(path: Path) -> bool:
    """Whether a path that does not exist is a pattern of file names."""
    return bool(glob.has_magic(str(path))) and not path.exists()


def matching(pattern: Path) -> list[Path]:
    """The tables that a pattern names, sorted.

    Raises:
        DataError: there are none.
    """
    found = sorted(path for path in map(Path, glob.glob(str(pattern), recursive=True)) if is_table(path))  # noqa: PTH207 - Path.glob has no absolute patterns
    if not found:
        raise DataError(f"{shown(pattern)}: no table matches; looked for {', '.join((*_TEXT, *_BINARY))}")
    return found


def tables_in(folder: Path) -> list[Path]:
    """The tables of a folder, sorted; none where it also holds folders, pictures or arrays, which then are the data."""
    if not folder.is_dir():
        return []
    visible = [entry for entry in folder.iterdir() if not entry.name.startswith((".", "__"))]
    if any(entry.is_dir() or entry.suffix.lower() in _DATA for entry in visible):
        return []
    return sorted(entry for entry in visible if is_table(entry))


def of_split(files: Sequence[Path], split: str) -> list[Path]:
    """Those that are named after the split (`train.csv`, `test-00001.parquet`); all, where none is named after any.

    Raises:
        DataError: they are named after other splits only.
    """
    named = {path: word for path in files if (word := _split_of(path))}
    found = [path for path, word in named.items() if word == split]
    if named and not found:
        names = ", ".join(path.name for path in named)
        raise DataError(f"{files[0].parent}: no table for {split!r} among {names}; make one, or leave data.{split} out")
    return found if named else list(files)


def brings_table(folder: Path, split: str) -> bool:
    """Whether a folder holds a table named after the split."""
    return any(_split_of(path) == split for path in tables_in(folder))


def _split_of(path: Path) -> str | None:
    word = re.split(r"[-_.]", path.name.lower(), maxsplit=1)[0]
    return next((split for split, words in WORDS.items() if word in words), None)


def open_tables(files: Sequence[Path]) -> Table:
    """Files with the same columns, one after the other.

    Args:
        files: at least one.

    Raises:
        DataError: files of two kinds, broken ones, or ones with other columns.
        MissingDependencyError: pyarrow is not installed.
    """
    kinds = {path.name.lower().endswith(_BINARY) for path in files}
    if len(kinds) > 1:
        raise DataError(f"{files[0].parent}: CSV and Parquet files together; give one kind, or a pattern: *.parquet")
    what = shown(files[0]) if len(files) == 1 else f"{shown(files[0])} and {len(files) - 1} more"
    return _parquet(files, what) if kinds == {True} else _csv(files, what)


def _csv(files: Sequence[Path], what: str) -> Table:
    csv = require("pyarrow.csv", extra="data", purpose="reading CSV files")
    one_by_one = csv.ReadOptions(use_threads=False)  # so that errors name the row
    with (
        _said(files[0]) as pa,
        csv.open_csv(str(files[0]), read_options=one_by_one, parse_options=_parsing(files[0])) as reader,
    ):
        schema = reader.schema
    _has_header(files[0], schema.names)
    kinds: dict[str, Kind] = {field.name: "number" if kind_of(field.type) == "number" else "text" for field in schema}
    flags = {field.name for field in schema if pa.types.is_boolean(field.type)}

    def batches(wanted: Mapping[str, Kind]) -> Iterator[Any]:
        numbers = {name: pa.bool_() if name in flags else pa.float64() for name, k in wanted.items() if k == "number"}
        types = {**dict.fromkeys(wanted, pa.string()), **numbers}
        convert = csv.ConvertOptions(column_types=types, include_columns=list(wanted), strings_can_be_null=False)
        read = csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
        for path in files:
            options = {"read_options": read, "parse_options": _parsing(path), "convert_options": convert}
            with _said(path), csv.open_csv(str(path), **options) as reader:
                yield from reader

    return Table(what, kinds, {}, files[0].parent, batches)


def _parsing(path: Path) -> Any:  # noqa: ANN401 - Arrow's options
    """Tabs in .tsv; in .csv whatever stands most often in the first line."""
    csv = require("pyarrow.csv", extra="data", purpose="reading CSV files")
    if ".tsv" in [suffix.lower() for suffix in path.suffixes]:
        delimiter = "\t"
    else:
        with arrow().input_stream(str(path), compression="detect") as file:
            head = file.read(1 << 16)
        if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise DataError(f"{shown(path)}: is in UTF-16; save it as UTF-8")
        line = head.split(b"\n", 1)[0].decode(errors="replace")
        delimiter = max(_DELIMITERS, key=line.count)
    return csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)


def _parquet(files: Sequence[Path], what: str) -> Table:
    parquet = require("pyarrow.parquet", extra="data", purpose="reading Parquet files")
    with _said(files[0]):
        schema = parquet.read_schema(str(files[0]))
    _distinct(files[0], schema.names)

    def batches(wanted: Mapping[str, Kind]) -> Iterator[Any]:
        rows = PICTURES if "picture" in wanted.values() else ROWS
        for path in files:
            with _said(path), parquet.ParquetFile(str(path)) as file:
                missing = [name for name in wanted if name not in file.schema_arrow.names]
                if missing:
                    raise DataError(f"{shown(path)}: no column {missing[0]!r}, which {files[0].name} has")
                yield from file.iter_batches(batch_size=rows, columns=list(wanted))

    kinds = {field.name: kind_of(field.type) for field in schema}
    return Table(what, kinds, _class_names(schema.metadata or {}), files[0].parent, batches)


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """Class names that Hugging Face's `to_parquet` leaves in a file."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        found = {name: kind["names"] for name, kind in features.items() if kind.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
    return {name: tuple(map(str, names)) for name, names in found.items()}


def _has_header(path: Path, names: Sequence[str]) -> None:
    if names and all(map(is_number, names)):
        raise DataError(f"{shown(path)}: the first line holds numbers only; put the columns' names above it")
    _distinct(path, names)


def _distinct(path: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise DataError(f"{shown(path)}: the header names {', '.join(map(repr, twice))} more than once")


@contextmanager
def _said(path: Path) -> Iterator[Any]:
    """Arrow, whose complaints become errors that name the file."""
    pa = arrow()
    try:
        yield pa
    except (pa.ArrowException, UnicodeDecodeError) as error:
        said = str(error).splitlines()[0]
        hint = "save it as UTF-8" if "UTF8" in said else "mend it, or name the columns to be read in data.columns"
        raise DataError(f"{shown(path)}: cannot be read as a table ({said}); {hint}") from error
