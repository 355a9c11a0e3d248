"""A teacher as a file of `torch.export` (.pt2): a program without its source."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from limbeck.core.identity import file_fingerprint
from limbeck.core.printed import reason
from limbeck.errors import ModelError, TrustError
from limbeck.teachers.steady import filled_up

MOST_ROWS = 128
"""Rows a call, where the program takes any number."""


class ExportedTeacher(nn.Module):
    """A program of `torch.export`, run on the number of rows that it was exported for.

    Rows are cut into calls of `rows`, and the last call is filled up with copies of the last row.

    Args:
        program: a module that `ExportedProgram.module()` gave.
        rows: a call.
        inputs: shape of one example.
        dtype: type of the input.
        source: fingerprint of the file.
    """

    def __init__(
        self, program: nn.Module, *, rows: int, inputs: tuple[int, ...], dtype: torch.dtype, source: str
    ) -> None:
        super().__init__()
        self.program = program
        self.rows, self.inputs, self.dtype, self.source = rows, inputs, dtype, source

    def forward(self, x: Tensor) -> Any:  # noqa: ANN401 - whatever the program gives
        """What the program gives, row for row."""
        if not self.dtype.is_floating_point:
            x = x.round().clamp(torch.iinfo(self.dtype).min, torch.iinfo(self.dtype).max)
        x = x.to(self.dtype)
        parts = [self.program(filled_up(part, self.rows)) for part in torch.split(x, self.rows)]
        return _together(parts, len(x))

    def train(self, mode: bool = True) -> "ExportedTeacher":  # noqa: ARG002 - torch's own signature
        """A program is as it was exported; it has no modes, and refuses to be asked for one."""
        return self


def load_exported(path: Path, *, trust_code: bool) -> ExportedTeacher:
    """Opens a `.pt2` file.

    Args:
        path: written by `torch.export.save`.
        trust_code: whether the user allowed that loading it may run code.

    Returns:
        The program as a module, on the CPU.

    Raises:
        TrustError: `trust_code` is false.
        ModelError: it cannot be opened, or does not take one tensor whose first axis is the batch.
    """
    if not trust_code:
        raise TrustError(f"teacher.from: loading {path} can run code; if you trust it, add --trust-code")
    if not path.is_file():
        raise ModelError(f"teacher.from: {path} is not a file")
    try:
        exported = torch.export.load(path)
        program = exported.module()
    except Exception as error:  # an archive may hold anything
        raise ModelError(f"teacher.from: {path} cannot be opened as a torch.export file: {reason(error)}") from error
    names = exported.graph_signature.user_inputs
    found = [node.meta.get("val") for node in exported.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(found) != 1 or not isinstance(found[0], Tensor) or found[0].ndim < 2:
        raise ModelError(f"teacher.from: {path} takes {len(found)} inputs, expected one tensor of rows (b, ...)")
    batch, *shape = found[0].shape
    if not all(isinstance(size, int) for size in shape):
        raise ModelError(
            f"teacher.from: {path} leaves sizes {list(shape)} open; export it again, open in the batch only"
        )
    rows = int(batch) if type(batch) is int else _rows(exported, batch)
    return ExportedTeacher(program, rows=rows, inputs=tuple(shape), dtype=found[0].dtype, source=file_fingerprint(path))


def _rows(exported: Any, batch: Any) -> int:  # noqa: ANN401 - torch's own types
    """As many as a chunk has, or the most that the program was exported for."""
    bounds = exported.range_constraints.get(batch.node.expr)
    upper = MOST_ROWS if bounds is None else int(min(bounds.upper, MOST_ROWS))
    return max(1, upper)


def _together(parts: list[Any], rows: int) -> Any:  # noqa: ANN401
    """Outputs of several calls as one, structure by structure."""
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat(parts)[:rows] if first.ndim else first
    if isinstance(first, dict):
        return {name: _together([part[name] for part in parts], rows) for name in first}
    if isinstance(first, list | tuple):
        return tuple(_together(list(group), rows) for group in zip(*parts, strict=True))
    return first
