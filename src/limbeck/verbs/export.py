"""`export`: more files from a finished student, each proven to give the same answers as its own program."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from limbeck.bundle.locate import bundle_of
from limbeck.bundle.read import EXPORTS, PROGRAM, Bundle
from limbeck.bundle.rebuild import core_of
from limbeck.core.storage import write_atomically
from limbeck.errors import InputError
from limbeck.exporting.formats import check_formats
from limbeck.record import Export
from limbeck.runtimes.noise import noise
from limbeck.runtimes.onnx import OnnxModel
from limbeck.task import named

_PROBES = 256
"""Made-up examples on which files are compared; the validation examples stayed with the run."""


def export(
    *, bundle: str | Path, to: Sequence[str], out: str | Path | None = None, threads: int = 1, timed: bool = True
) -> list[Export]:
    """Exports a finished student again.

    A student of a known family is built from its weights; a module of the user's own is not needed, since its ONNX
    program lies in the bundle. Every file is compared with that program on 256 made-up examples.

    Args:
        bundle: a student's or a run's folder.
        to: formats: see `limbeck.exporting.formats.EXPORTERS`.
        out: a folder; by default the bundle's `exports`.
        threads: of the runtime, for the latency; >= 1.
        timed: whether latency is measured.

    Returns:
        One record a format, with the file's path.

    Raises:
        BundleError: it is not a finished student, or was changed.
        InputError: a format that does not exist, or cannot be made from this student; `out` is the bundle itself.
        ExportError: an export failed, or is not the student; its file is kept.
        StorageError: the disk is full or the folder cannot be written.
    """
    check_formats(to)
    student = bundle_of(Path(bundle))
    if student is None:
        raise InputError(f"{bundle} is a lone file: give a student's folder, whose weights other formats are made from")
    folder = student.folder / EXPORTS if out is None else Path(out)
    if folder.resolve() == student.folder.resolve():
        raise InputError(f"out: {folder} is the student's own folder, whose files stay as they are; choose another")
    program = OnnxModel(student.program, threads=threads)
    make = _rebuilt if "family" in student.config.student else _copied
    found = make(student, program, to, folder, threads=threads, timed=timed)
    return [each.model_copy(update={"path": (folder / each.path).as_posix()}) for each in found]


def _rebuilt(
    student: Bundle, program: OnnxModel, to: Sequence[str], folder: Path, *, threads: int, timed: bool
) -> list[Export]:
    """From the weights, by the family's code."""
    from limbeck.exporting.export import export as export_core

    raw = noise(program.shape, program.dtype, _PROBES)
    return export_core(
        core_of(student),
        student.config,
        formats=to,
        folder=folder,
        raw=raw,
        reference=program(raw),
        threads=threads,
        timed=timed,
    )


def _copied(
    student: Bundle, program: OnnxModel, to: Sequence[str], folder: Path, *, threads: int, timed: bool
) -> list[Export]:
    """A user's own module is not at hand: its program is copied, and nothing else can be made."""
    others = [name for name in to if name != "onnx"]
    if others:
        raise InputError(
            f"export: {', '.join(others)} cannot be made from a folder whose student is a module of your own; name it "
            "in the recipe's export and distil again, or export to onnx"
        )
    from limbeck.exporting.parity import parity, require_parity, scale_of
    from limbeck.exporting.timing import latency_of

    path = folder / PROGRAM
    write_atomically(path, lambda temporary: shutil.copyfile(student.program, temporary))
    model = OnnxModel(path, threads=threads)
    raw = noise(program.shape, program.dtype, _PROBES)
    reference = program(raw)
    found = parity(reference, model, raw, None, named(student.config.task))
    require_parity(found, where=str(path), scale=scale_of(reference))
    times = [latency_of(model, raw[:1], runtime="onnxruntime", threads=threads)] if timed else []
    return [
        Export(format="onnx", path=PROGRAM, size_bytes=path.stat().st_size, parity=found, latency_ms=times) for _ in to
    ]
