"""Teachers that exist: by a library's name, as a file, as a finished run, or as code of the user's."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from limbeck.bundle.locate import STUDENT, bundle_of
from limbeck.bundle.rebuild import core_of, core_shape
from limbeck.core.libraries import build_from_library, from_library
from limbeck.core.outputs import Place
from limbeck.core.storage import read_json
from limbeck.core.weights import fit_state, read_state
from limbeck.data.preprocess import PreprocessSpec
from limbeck.data.source import InputSpec
from limbeck.errors import ModelError
from limbeck.recipe.model import GIVEN, Teacher
from limbeck.recipe.paths import is_path
from limbeck.runs.black_box import OnnxTeacher
from limbeck.runs.foreign import called, foreign
from limbeck.runs.given import Given
from limbeck.teachers import build
from limbeck.teachers.exported import load_exported
from limbeck.teachers.heads import heads_of
from limbeck.teachers.library import library_teacher


@dataclass(frozen=True, slots=True)
class Brought:
    """A teacher that exists, before it is asked.

    Attributes:
        module: gives logits, or something that holds them.
        name: what to call it.
        preprocess: its own, where it is known.
        inputs: what it eats, where only that is known: (channels, height, width).
        pixels: takes raw pixels: a program with an integer input.
        classes: its own class names, where it brings them.
        output: where the logits are in what it returns, if they are not alone.
        black_box: cannot be trained.
        notes: what the reader should know.
    """

    module: nn.Module
    name: str
    preprocess: PreprocessSpec | None = None
    inputs: tuple[int, ...] | None = None
    pixels: bool = False
    classes: tuple[str, ...] | None = None
    output: Place | None = None
    black_box: bool = False
    notes: tuple[str, ...] = ()


def bring(teacher: Teacher, given: Given, raw: InputSpec, outputs: int) -> Brought:
    """Opens the teacher that a recipe names.

    Args:
        teacher: its section, with a `from`.
        given: a module, and whether code is trusted.
        raw: what an example of the data looks like.
        outputs: classes of the data.

    Returns:
        The teacher.

    Raises:
        InputError: it cannot be opened; nothing was written.
    """
    where = teacher.from_
    if where is not None and from_library(where):
        return _from_library(where, teacher, raw, outputs)
    if where is not None and where != GIVEN and is_path(where):
        return _from_path(Path(where), teacher, given, raw)
    what, name = foreign(where, given.teacher, given, "teacher")
    module = what if isinstance(what, nn.Module) else called(what, "teacher", teacher.settings)
    notes: list[str] = []
    if teacher.weights is not None:
        path = Path(teacher.weights)
        state, notes = read_state(path, key=teacher.weights_key)
        but = () if teacher.adapt is None else heads_of(module, teacher.adapt.head)
        notes += fit_state(module, state, path=path, but=but)
    return Brought(module, name, output=teacher.output, notes=tuple(notes))


def _from_library(name: str, teacher: Teacher, raw: InputSpec, outputs: int) -> Brought:
    if len(raw.shape) != 3:
        raise ModelError(f"the teacher {name} takes images (channels, height, width), but an example is {raw}")
    found = library_teacher(
        name,
        weights=None if teacher.weights is None else Path(teacher.weights),
        weights_key=teacher.weights_key,
        pretrained=teacher.pretrained,
        settings=dict(teacher.settings),
        outputs=outputs,
        new_head=teacher.adapt is not None,
    )
    spec, notes = found.preprocess, found.notes
    if raw.dtype != "uint8":
        spec = replace(spec, scale=1.0)
        notes = (*notes, f"The data are floats: the teacher {name} takes them for pixels from 0 to 1.")
    return Brought(found.module, name, spec, output=teacher.output, notes=notes)


def _from_path(path: Path, teacher: Teacher, given: Given, raw: InputSpec) -> Brought:
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return _from_onnx(path, None if teacher.output is None else str(teacher.output))
    if suffix == ".pt2":
        module = load_exported(path, trust_code=given.trust_code)
        pixels = not module.dtype.is_floating_point
        inputs, output = module.inputs, teacher.output
        return Brought(module, path.name, inputs=inputs, pixels=pixels, output=output, black_box=True)
    if not path.is_dir():
        raise ModelError(
            f"teacher.from: {path} is not there, or no model; expected the folder of a run or a student, an .onnx or a "
            ".pt2 file"
        )
    config = path / "config.json"
    if (path / STUDENT).is_dir() or not config.is_file() or "student" in read_json(config):
        return _from_bundle(path, raw)
    return _from_kept(path, raw)


def _from_onnx(path: Path, output: str | None) -> Brought:
    module = OnnxTeacher(path, output)
    pixels = module.dtype not in ("float16", "float32", "float64")
    return Brought(module, path.name, inputs=module.inputs, pixels=pixels, black_box=True)


def _from_bundle(path: Path, raw: InputSpec) -> Brought:
    """A finished student; of one that was a module of the user's, its program."""
    bundle = bundle_of(path)
    assert bundle is not None, "a folder holds a bundle, or was refused"
    config = bundle.config
    _same_type(config.input.dtype, raw, path)
    if "family" in config.student:
        eaten = core_shape(config)
        spec = with_shape(PreprocessSpec.from_dict(dict(config.preprocess)), eaten, raw)
        return Brought(core_of(bundle), config.name, spec, classes=config.classes)
    program = _from_onnx(bundle.program, None)
    spec = with_shape(PreprocessSpec(), config.input.shape, raw)
    return replace(program, name=config.name, preprocess=spec, inputs=None, pixels=False, classes=config.classes)


def _from_kept(path: Path, raw: InputSpec) -> Brought:
    """A teacher that another run trained and kept."""
    config: dict[str, Any] = read_json(path / "config.json")
    if config.get("schema_version") != 1 or not config.get("family"):
        raise ModelError(f"teacher.from: {path} holds no teacher that can be built again; use the recipe it came from")
    _same_type(config["input"]["dtype"], raw, path)
    seen = tuple(config["input"]["shape"])
    spec = PreprocessSpec.from_dict(config["preprocess"])
    eaten = (spec.channels or seen[0], *(spec.size or seen[1:])) if len(seen) == 3 else seen
    outputs = len(config["classes"])
    if from_library(config["family"]):
        settings = config["settings"]
        module = build_from_library(config["family"], inputs=eaten, outputs=outputs, settings=settings, where="teacher")
    else:
        module = build({"family": config["family"], **config["settings"]}, inputs=eaten, outputs=outputs)
    weights = path / "model.safetensors"
    fit_state(module, read_state(weights)[0], path=weights)
    return Brought(module, config["name"], with_shape(spec, eaten, raw), classes=tuple(config["classes"]))


def _same_type(own: str, raw: InputSpec, path: Path) -> None:
    if own != raw.dtype:
        raise ModelError(f"teacher.from: the model in {path} takes {own}, but an example is {raw}; convert the data")


def with_shape(spec: PreprocessSpec, eaten: tuple[int, ...], raw: InputSpec) -> PreprocessSpec:
    """The spec, resizing and turning channels where the examples are not what the model eats.

    Args:
        spec: normalisation.
        eaten: shape of one example as the model sees it.
        raw: what an example looks like.

    Example:
        >>> with_shape(PreprocessSpec(), (3, 64, 64), InputSpec("image", (1, 8, 8), "uint8")).size
        (64, 64)
    """
    if len(eaten) != 3 or len(raw.shape) != 3:
        return spec
    size = (eaten[1], eaten[2]) if eaten[1:] != raw.shape[1:] else spec.size
    channels = eaten[0] if eaten[0] != raw.shape[0] and eaten[0] in (1, 3) else spec.channels
    mean, std = spec.mean, spec.std
    if channels == 1 and len(mean) > 1:
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    return replace(spec, size=size, channels=channels, mean=mean, std=std)
