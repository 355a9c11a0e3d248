"""From a trained student to its finished folder: exported, proven, described, written as a whole."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from torch import nn

from limbeck.bundle.card import Facts, card
from limbeck.bundle.config import BundleConfig
from limbeck.bundle.read import EXPORTS, PROGRAM, Bundle
from limbeck.bundle.write import write
from limbeck.errors import ExportError
from limbeck.exporting.export import export
from limbeck.record import Export


def finish(
    folder: Path,
    *,
    core: nn.Module,
    config: BundleConfig,
    facts: Facts,
    raw: NDArray[Any],
    target: Int[np.ndarray, " n"] | None = None,
    formats: Sequence[str] = ("onnx",),
    threads: int = 1,
    timed: bool = True,
) -> tuple[Bundle, list[Export]]:
    """Writes the bundle of a finished student; its ONNX program is always among the exports.

    Args:
        folder: the bundle's place.
        core: the trained student without its preprocessing; left as it is.
        config: what it is; checksums are filled in.
        facts: what the model card tells.
        raw: validation examples that prove the exports.
        target: their class indices, -1 where unknown.
        formats: keys of `EXPORTERS`.
        threads: of the runtimes.
        timed: whether latency is measured.

    Returns:
        The bundle, and a record of each export with its path relative to `folder`.

    Raises:
        InputError: a format that does not exist, or no example.
        ExportError: an export is not the student. Nothing is written at `folder`; the refused file is kept beside it
            in `<folder>.exporting`.
        StorageError: the disk is full or the folder cannot be written.
    """
    staging = folder.parent / f"{folder.name}.exporting"
    shutil.rmtree(staging, ignore_errors=True)
    names = ["onnx", *(name for name in formats if name != "onnx")]
    try:
        found = export(
            core, config, formats=names, folder=staging, raw=raw, target=target, threads=threads, timed=timed
        )  # fmt: skip
        extra = {each.path: staging / each.path for each in found if each.path != PROGRAM}
        placed = [each if each.path == PROGRAM else _moved(each) for each in found]
        text = card(config, facts, placed)
        bundle = write(
            folder, config=config, state=core.state_dict(), card=text, program=staging / PROGRAM, exports=extra
        )  # fmt: skip
    except ExportError:
        raise  # the refused file stays, to be looked at
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    shutil.rmtree(staging, ignore_errors=True)
    return bundle, placed


def _moved(export: Export) -> Export:
    return export.model_copy(update={"path": f"{EXPORTS}/{export.path}"})
