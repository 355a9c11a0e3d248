"""What people mean when they name a student: its folder, the run it came from, or a lone ONNX file."""

from dataclasses import dataclass
from pathlib import Path

from limbeck.bundle.metadata import About, about, from_metadata
from limbeck.bundle.read import CONFIG, Bundle, read
from limbeck.errors import BundleError
from limbeck.runtimes.onnx import OnnxModel

STUDENT = "student"
"""The bundle's folder within a run's."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A student that runs.

    Attributes:
        model: raw examples in, logits out.
        about: what it is; `None` for an ONNX file that Limbeck did not write.
        bundle: its folder, where it came in one.
    """

    model: OnnxModel
    about: About | None
    bundle: Bundle | None


def bundle_of(path: Path) -> Bundle | None:
    """The bundle at `path`, a bundle's or a run's folder, made sure of.

    Args:
        path: a folder or a file.

    Returns:
        `None` where `path` is a lone `.onnx` file.

    Raises:
        BundleError: there is nothing of the kind, or the bundle was changed.
    """
    if path.is_dir():
        return read(path / STUDENT if not (path / CONFIG).is_file() and (path / STUDENT).is_dir() else path)
    if not path.exists():
        raise BundleError(f"{path} does not exist: give a student's folder, a run's folder, or an .onnx file")
    if path.suffix.lower() != ".onnx":
        raise BundleError(f"{path} is not an .onnx file: give a student's folder, a run's folder, or an .onnx file")
    return None


def open_student(path: Path, *, threads: int = 1) -> Opened:
    """Opens what `path` names, ready to run.

    Args:
        path: a bundle's folder, a run's folder, or an `.onnx` file.
        threads: of the runtime; >= 1.

    Returns:
        The student with what is known about it.

    Raises:
        BundleError: see `bundle_of`; or the ONNX file cannot be run, or is not what its bundle says.
    """
    bundle = bundle_of(path)
    if bundle is None:
        model = OnnxModel(path, threads=threads)
        found = from_metadata(model.metadata, str(path))
    else:
        model = OnnxModel(bundle.program, threads=threads)
        found = about(bundle.config)
    if found is not None and (found.input.shape, found.input.dtype) != (model.shape, model.dtype):
        raise BundleError(
            f"{model.path} takes {model.dtype} {model.shape}, but is said to take {found.input.dtype} "
            f"{found.input.shape}: the file and its description do not belong together"
        )
    if found is not None and model.outputs not in (None, len(found.classes)):
        raise BundleError(
            f"{model.path} gives {model.outputs} outputs, but is said to have {len(found.classes)} classes"
        )
    return Opened(model, found, bundle)
