"""NumPy files: `.npz` archives, `.npy` arrays, and folders that hold `x.npy` and `y.npy`. Nothing pickled is loaded."""

import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from limbeck.data.memory import ArraySource, from_arrays
from limbeck.data.spool import CHUNK_BYTES, mapped, spool
from limbeck.errors import DataError

_INPUTS = ("x", "images", "inputs")
_LABELS = ("y", "labels", "target")
_CLASSES = "classes"


def open_npz(path: Path, *, name: str, classes: Sequence[str] | None = None) -> ArraySource:
    """An archive with inputs (`x`, `images` or `inputs`), labels (`y`, `labels` or `target`) and maybe `classes`.

    Arrays are unpacked into a spool and mapped.

    Raises:
        DataError: not such an archive, or broken.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {n.removesuffix(".npy"): n for n in archive.namelist() if n.endswith(".npy")}
            wanted = _chosen(members, path)
            arrays = {role: _unpacked(archive, member, path) for role, member in wanted.items()}
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: broken .npz ({error}); write it again with numpy.savez") from error
    return _source(arrays, name, classes)


def open_npy(path: Path, *, name: str, classes: Sequence[str] | None = None) -> ArraySource:
    """A file of inputs without labels, or a folder with `x.npy`, `y.npy` and maybe `classes.npy`, mapped as they are.

    Raises:
        DataError: broken, or pickled.
    """
    files = npy_files(path) if path.is_dir() else {"x": path}
    wanted = _chosen(files, path)
    return _source({role: _mapped_npy(file) for role, file in wanted.items()}, name, classes)


def npy_files(folder: Path) -> dict[str, Path]:
    """The `.npy` files of a folder that are named as inputs, labels or classes, by their stem."""
    known = {*_INPUTS, *_LABELS, _CLASSES}
    return {path.stem: path for path in sorted(folder.glob("*.npy")) if path.stem in known}


def holds_npy(folder: Path) -> bool:
    """Whether the folder is one that `open_npy` reads."""
    return any(stem in _INPUTS for stem in npy_files(folder))


def _chosen(found: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Inputs, labels and classes among what was found, by role."""
    roles = {"x": _one(found, _INPUTS, path), "y": _one(found, _LABELS, path), _CLASSES: _one(found, (_CLASSES,), path)}
    if roles["x"] is None:
        raise DataError(f"{path}: no inputs: looked for {', '.join(_INPUTS)}; found {', '.join(found) or 'nothing'}")
    return {role: found[key] for role, key in roles.items() if key is not None}


def _one(found: Iterable[str], names: Sequence[str], path: Path) -> str | None:
    present = [name for name in names if name in found]
    if len(present) > 1:
        raise DataError(f"{path}: {' and '.join(present)} are both there and mean the same; keep one of them")
    return present[0] if present else None


def _source(arrays: Mapping[str, NDArray[Any]], name: str, classes: Sequence[str] | None) -> ArraySource:
    own = arrays.get(_CLASSES)
    own_classes = None if own is None else tuple(str(value) for value in own.reshape(-1).tolist())
    return from_arrays(arrays["x"], arrays.get("y"), name=name, classes=classes, own_classes=own_classes)


def _unpacked(archive: zipfile.ZipFile, member: str, path: Path) -> NDArray[Any]:
    with archive.open(member) as packed, spool() as file:
        shape, fortran, dtype = _header(packed, f"{path}, {member}")
        length = 0
        while chunk := packed.read(CHUNK_BYTES):
            length += file.write(chunk)
        expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if length != expected:
            raise DataError(f"{path}, {member}: {length} bytes where its header promises {expected}; write it again")
        return mapped(file, dtype, shape, order="F" if fortran else "C")


def _mapped_npy(path: Path) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            shape, fortran, dtype = _header(file, str(path))
            offset = file.tell()
        if 0 in shape:
            return np.zeros(shape, dtype)
        order: Literal["C", "F"] = "F" if fortran else "C"
        return np.asarray(np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape, order=order))
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: truncated ({error}); write it again with numpy.save") from error


def _header(file: IO[bytes], what: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        version = npy.read_magic(file)
        if version not in readers:
            raise DataError(f"{what}: .npy version {version} holds structured arrays; save plain ones")
        shape, fortran, dtype = readers[version](file)
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{what}: not a NumPy array ({error}); write it with numpy.savez or numpy.save") from error
    if dtype.hasobject:
        raise DataError(f"{what}: holds pickled Python objects, which are never loaded; save numbers or plain text")
    return tuple(shape), bool(fortran), dtype
