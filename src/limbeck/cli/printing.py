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
