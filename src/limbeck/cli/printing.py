"""The one place that writes to standard output."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer


def echo(lines: Sequence[str]) -> None:
    """Prints lines."""
    say("\n".join(lines))


def echo_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Prints a JSON value, and nothing else."""
    import json

    say(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def say(text: str) -> None:
    """Prints text; a reader that left (`limbeck methods | head`) is no error."""
    try:
        typer.echo(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def passed_on(text: str) -> bool:
    """Prints a piece of a longer text at once, with names that are not UTF-8 as they are.

    Args:
        text: ends where the next piece begins.

    Returns:
        False where the reader has left.
    """
    try:
        try:
            sys.stdout.write(text)
        except UnicodeEncodeError:
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True
