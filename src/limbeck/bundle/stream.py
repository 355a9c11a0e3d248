"""Standard input: what it holds is told by its first bytes, unless somebody says."""

import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Literal, get_args

from limbeck.bundle.arrays import array_rows
from limbeck.bundle.asked import Pending
from limbeck.bundle.config import InputConfig
from limbeck.bundle.pictures import picture
from limbeck.bundle.tables import csv_rows, json_rows, path_lines
from limbeck.errors import DataError, InputError

Kind = Literal["auto", "paths", "image", "numpy", "csv", "jsonl"]
KINDS: tuple[str, ...] = get_args(Kind)
_NUMPY = (b"\x93NUMPY", b"PK\x03\x04")
_IMAGE = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*", b"P4", b"P5", b"P6", b"\0\0\0")
_JSON = (b"{", b"[")


def kind_of(text: str) -> Kind:
    """The kind of that name.

    Raises:
        InputError: there is none.
    """
    for kind in get_args(Kind):
        if kind == text:
            return kind  # type: ignore[no-any-return]
    raise InputError(f"stdin: {text!r} was given; use one of: {', '.join(KINDS)}")


def from_stream(content: IO[bytes], file: Path, spec: InputConfig, kind: Kind = "auto") -> Iterator[Path | Pending]:
    """What a stream holds: examples, or paths of files that hold them.

    By its first bytes: a NumPy file; a picture; JSON where text begins with `{` or `[`; otherwise paths, one a line,
    where the first line names an existing file or folder, or where the student takes pictures and the line has no
    separator; otherwise CSV.

    Args:
        content: read once, line by line where it is text, so that answers come while it still grows.
        file: what it is called.
        spec: what the student takes.
        kind: what it holds, if that is known.

    Yields:
        Examples or paths.

    Raises:
        DataError: it is empty, or not what it was said to be.
    """
    stream = content if isinstance(content, io.BufferedReader) else io.BufferedReader(content)  # type: ignore[type-var]
    head = stream.peek(16)
    if not head:
        raise DataError(f"{'standard input' if str(file) == '-' else file} is empty")
    kind = _told(head) if kind == "auto" else kind
    if kind == "numpy":
        yield from array_rows(file, spec, stream)
        return
    if kind == "image":
        yield picture(file, spec, io.BytesIO(stream.read()))
        return
    first = stream.readline()
    lines = chain([first], stream)
    if kind == "auto":
        kind = _told_by_line(first, spec)
    if kind == "paths":
        yield from path_lines(lines, Path())
    elif kind == "csv":
        yield from csv_rows(lines, file, spec)
    else:
        yield from json_rows(lines, file, spec, by_line=kind == "jsonl")


def _told(head: bytes) -> Kind:
    if head.startswith(_NUMPY):
        return "numpy"
    return "image" if head.startswith(_IMAGE) else "auto"


def _told_by_line(first: bytes, spec: InputConfig) -> Kind:
    if first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_JSON):
        return "auto"
    name = next(path_lines([first], Path()), None)
    try:
        there = name is not None and name.exists()
    except (OSError, ValueError):  # longer than a name may be
        there = False
    separated = any(separator in first for separator in b"\t;,")
    return "paths" if there or (spec.kind == "image" and not separated) else "csv"
