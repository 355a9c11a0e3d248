"""`limbeck predict ...`: answers on standard output as they come, what cannot be read on standard error."""

import sys
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limbeck.cli.printing import passed_on

if TYPE_CHECKING:
    from limbeck.verbs.answer import Prediction, Written

_BLOCK = 256
_SECONDS = 1.0
_OTHERS = 2


def predict(
    bundle: Annotated[Path, typer.Argument(help="A student's or a run's folder.", show_default=False)],
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Pictures, .npy, .npz, .csv or .jsonl files, folders, patterns, - for standard input.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write the answers to a .json, .jsonl or .csv file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    top: Annotated[int | None, typer.Option("--top", metavar="K", help="Only the K most probable classes.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first input that cannot be read.")] = False,
    stdin: Annotated[
        str, typer.Option("--stdin", metavar="KIND", help="What - holds: paths, image, numpy, csv, jsonl.")
    ] = "auto",
    batch: Annotated[
        int | None, typer.Option("--batch", help="Examples asked together.  [default: 1, 2, 4 ... 256]")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", help="Threads of the runtime, and of decoding.")] = 1,
) -> None:
    """Ask a finished student. Needs no torch."""
    from limbeck.core.progress import Silent, Terminal
    from limbeck.errors import InputError
    from limbeck.verbs.answer import written
    from limbeck.verbs.predict import stream

    asked = [kind for kind, wanted in (("json", json), ("jsonl", jsonl), ("csv", csv)) if wanted]
    if len(asked) > 1:
        raise InputError(f"--{asked[0]} and --{asked[1]} exclude each other; choose one")
    # where answers scroll by on the same terminal, a bar would only be in their way
    progress = Silent() if sys.stdout.isatty() else Terminal()
    answers = stream(
        bundle=bundle, inputs=files, out=out, top=top, strict=strict, stdin=stdin, batch=batch, threads=threads,
        progress=progress,
    )  # fmt: skip
    with closing(answers):
        _show(answers, _Columns(top) if not asked else written(asked[0], answers.classes, top), to_file=out is not None)


def _show(answers: Iterable["Prediction"], text: "Written", *, to_file: bool) -> None:
    """Prints each; the program ends in failure where one could not be read.

    Raises:
        DataError: nothing could be read.
        RunError: something could not be read; the rest is answered.
    """
    from limbeck.core.printed import plain
    from limbeck.errors import DataError, RunError

    unread: list[str] = []
    count = said = 0
    listening = True
    for count, answer in enumerate(answers, 1):
        if answer.error is not None:
            unread.append(plain(answer.error))
        if count > 1:  # a lone one is told at the end
            said = _named(unread, said)
        listening = listening and passed_on(text.add(answer))
        if not (listening or to_file):
            return
    if listening:
        passed_on(text.end())
    if not unread:
        return
    if len(unread) == count:
        raise DataError(unread[0] if count == 1 else f"none of the {count:,} inputs could be read")
    raise RunError(f"{len(unread):,} of {count:,} inputs could not be read; the others are answered")


def _named(unread: list[str], said: int) -> int:
    for message in unread[said:]:
        sys.stderr.write(f"limbeck: {message}\n")
    return len(unread)


class _Columns:
    """For people: blocks of aligned lines; those that could not be read are named elsewhere.

    Args:
        top: how many classes were asked for; `None`: the label alone.
    """

    def __init__(self, top: int | None) -> None:
        self._top = top
        self._rows: list[list[str]] = [["file", "label", "probability", *(["others"] if self._others else []), "note"]]
        self._widths = [0] * len(self._rows[0])
        self._since = time.monotonic()

    @property
    def _others(self) -> bool:
        return self._top is not None and self._top >= _OTHERS

    def add(self, answer: "Prediction") -> str:
        """Lines of a whole block, or nothing yet."""
        from limbeck.core.printed import plain

        if answer.label is None or answer.probability is None:
            return ""
        name = answer.file if answer.row is None else f"{answer.file}[{answer.row}]"
        others = ", ".join(f"{label} {p:.3f}" for label, p in list(answer.probabilities.items())[1:])
        row = [name, answer.label, f"{answer.probability:.3f}", *([others] if self._others else []), answer.note or ""]
        self._rows.append([plain(cell) for cell in row])
        return self._lines() if len(self._rows) > _BLOCK or time.monotonic() - self._since > _SECONDS else ""

    def end(self) -> str:
        """The last lines."""
        return self._lines() if any(self._widths) or len(self._rows) > 1 else ""

    def _lines(self) -> str:
        wide = (max(map(len, column)) for column in zip(*self._rows, strict=True))
        self._widths = [max(pair) for pair in zip(self._widths, wide, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, self._widths, strict=True)).rstrip()
            for row in self._rows
        ]
        self._rows, self._since = [], time.monotonic()
        return "".join(f"{line}\n" for line in lines)
