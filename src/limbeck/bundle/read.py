"""Opening a finished student. Needs no torch, except for the weights themselves."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from limbeck.bundle.config import CONFIG_KEY, BundleConfig
from limbeck.core.identity import file_fingerprint
from limbeck.core.optional import require
from limbeck.core.storage import read_json
from limbeck.errors import BundleError
from limbeck.record import another

if TYPE_CHECKING:
    from torch import Tensor

CONFIG = CONFIG_KEY
LABELS = "labels.json"
PROGRAM = "model.onnx"
WEIGHTS = "model.safetensors"
CARD = "README.md"
EXPORTS = "exports"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A finished student whose files are what they were when it was written.

    Attributes:
        config: what it is.
        labels: class names in the order of the logits.
        folder: where it lies.
    """

    config: BundleConfig
    labels: tuple[str, ...]
    folder: Path

    @property
    def program(self) -> Path:
        """Preprocessing and core as one ONNX file: raw examples in, logits out."""
        return self.folder / PROGRAM


def read(folder: Path) -> Bundle:
    """Opens a bundle, and makes sure that nobody changed it.

    The model card and `exports/` are left unchecked: people add to them.

    Args:
        folder: of the bundle itself, not of its run.

    Returns:
        The bundle, whole and unchanged.

    Raises:
        BundleError: a file is missing or changed, or the folder is not a bundle of this schema; names what.
    """
    config = _read_config(folder)
    if not config.intact:
        raise BundleError(f"{folder / CONFIG} was changed since the student was written: restore or distil it again")
    for name in (WEIGHTS, LABELS, PROGRAM):
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{folder} lacks {name}: the bundle is not whole; copy it again or distil it again")
        if file_fingerprint(path) != config.sha256.get(name):
            raise BundleError(
                f"{path} was changed since the student was written: its sha256 is not the one in {CONFIG}"
            )
    return Bundle(config, tuple(read_json(folder / LABELS)), folder)


def load_state(folder: Path) -> dict[str, "Tensor"]:
    """The weights of a bundle's core.

    Args:
        folder: of the bundle.

    Returns:
        A state dict on the CPU.

    Raises:
        BundleError: see `read`.
        MissingDependencyError: torch is not installed.
    """
    read(folder)
    require("torch", extra=None, purpose="loading a student's weights")
    from safetensors.torch import load_file

    return load_file(folder / WEIGHTS)


def _read_config(folder: Path) -> BundleConfig:
    path = folder / CONFIG
    if not path.is_file():
        raise BundleError(f"{folder} holds no {CONFIG}: {another(folder) or 'is it the folder of a finished student?'}")
    try:
        text = path.read_text(encoding="utf-8")
        return BundleConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BundleError(
            f"{path} cannot be read as a bundle of schema 1: {where}: {first['msg']}; it was changed, "
            "or written by another version of Limbeck"
        ) from error
    except UnicodeDecodeError as error:
        raise BundleError(f"{path} was changed since the student was written: it is not UTF-8 text") from error
