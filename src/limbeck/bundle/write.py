"""Writing a finished student: the whole folder or nothing."""

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from limbeck.bundle.config import BundleConfig
from limbeck.bundle.read import CARD, CONFIG, EXPORTS, LABELS, PROGRAM, WEIGHTS, Bundle
from limbeck.core.identity import file_fingerprint
from limbeck.core.storage import plain_storage_errors
from limbeck.errors import BundleError

if TYPE_CHECKING:
    from torch import Tensor


def write(
    folder: Path,
    *,
    config: BundleConfig,
    state: Mapping[str, "Tensor"],
    card: str,
    program: Path,
    exports: Mapping[str, Path] = MappingProxyType({}),
) -> Bundle:
    """Writes a bundle beside `folder`, then renames it into place, so that nobody ever sees half of one.

    Args:
        folder: the bundle's place; a bundle that is there is replaced as a whole, anything else is left alone.
        config: its checksums are filled in here.
        state: the core's state dict; tied weights are stored once for each name.
        card: the model card, Markdown.
        program: the ONNX file to copy in as `model.onnx`.
        exports: further files to copy into `exports/`, by name.

    Returns:
        The bundle as it now lies on disk.

    Raises:
        BundleError: `folder` is, or holds, something that is not a bundle.
        StorageError: the disk is full or the folder cannot be written; `folder` is as it was.
    """
    half = _beside(folder)
    try:
        with plain_storage_errors(folder):
            if _taken(folder):
                raise BundleError(f"{folder} is, or holds, something that is not a student: choose another folder")
            half.mkdir(parents=True)
            files = {PROGRAM: program, **{f"{EXPORTS}/{name}": path for name, path in exports.items()}}
            sealed = _fill(half, config, state, card, files)
            _swap(half, folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return Bundle(sealed, sealed.classes, folder)


def _taken(folder: Path) -> bool:
    if folder.is_dir():
        return any(folder.iterdir()) and not (folder / CONFIG).is_file()
    return folder.exists()


def _fill(
    folder: Path, config: BundleConfig, state: Mapping[str, "Tensor"], card: str, files: Mapping[str, Path]
) -> BundleConfig:
    for name, source in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        _sync(target)
    _put(folder / WEIGHTS, _weights(state))
    _put(folder / LABELS, _json(list(config.classes)))
    _put(folder / CARD, card.encode())
    sealed = config.sealed({name: file_fingerprint(folder / name) for name in (WEIGHTS, LABELS, PROGRAM)})
    _put(folder / CONFIG, _json(sealed.model_dump(mode="json")))
    return sealed


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _sync(path)


def _json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _weights(state: Mapping[str, "Tensor"]) -> bytes:
    """Serialised in memory: writing by ourselves makes a full disk an `OSError`, not an opaque error of safetensors."""
    from safetensors.torch import save

    return save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()})


def _swap(new: Path, place: Path) -> None:
    """Puts `new` at `place`; what was there survives under a hidden name until `new` is in."""
    old = _beside(place)
    replaced = place.exists()
    if replaced:
        place.rename(old)
    try:
        new.rename(place)
    except OSError:
        if replaced:
            old.rename(place)
        raise
    _sync(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def _beside(folder: Path) -> Path:
    """A hidden sibling on the same file system; made by `mkdir`, it gets the permissions of any new folder."""
    return folder.parent / f".{folder.name}-{uuid.uuid4().hex[:12]}.tmp"


def _sync(path: Path) -> None:
    """Makes a file, or the renames in a folder, durable; Windows cannot do that for folders."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
