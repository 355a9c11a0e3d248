"""`taps`: what can be tapped in a model, or in a recipe's teacher and student, and which layers go together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from limbeck.errors import InputError, ModelError
from limbeck.verbs.example_inputs import batch_of

if TYPE_CHECKING:
    from torch import nn

    from limbeck.recipe import Recipe
    from limbeck.recipe.model import Teacher
    from limbeck.runs.brought import Brought
    from limbeck.runs.build import Blueprint

_ROWS = 3
"""Of an example batch: few axes are as long."""
_OUTPUTS = 1000
"""Classes of a library's model that nothing says more of."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class TapFacts(_Frozen):
    """One place."""

    path: str
    part: str = Field(description="type of the part")
    kind: Literal["map", "channels-last", "unclear", "tokens", "vector", "other"]
    shape: tuple[int, ...] = Field(description="without the batch axis")
    bytes_per_example: int
    params: int = Field(description="parameters up to there")
    macs: int = Field(description="multiply-accumulates of one example up to there")
    runs: int = Field(description="times that the part runs in a pass; more than 1: it cannot be tapped")


class ModelTaps(_Frozen):
    """One model."""

    role: Literal["student", "teacher", "model"]
    name: str
    input: list[tuple[int, ...]] = Field(description="shapes of its arguments, without the batch axis")
    params: int
    places: list[TapFacts] = Field(description="in the order of computation")


class PairFacts(_Frozen):
    """Layers that go together."""

    student: str
    teacher: str
    why: str
    line: str = Field(description="a term of a recipe's objective")


class Taps(_Frozen):
    """What can be tapped."""

    models: list[ModelTaps]
    pairs: list[PairFacts] = Field(description="empty where there is one model only")


def taps(
    *,
    model: "nn.Module | Path | str | Mapping[str, Any]",
    size: Sequence[int] | None = None,
    inputs: Any = None,  # noqa: ANN401 - a tensor, a tuple or a mapping; torch is not imported for its name
    overrides: Mapping[str, Any] | None = None,
    trust_code: bool = False,
) -> Taps:
    """Runs a model on three examples, and lists the places whose activations an objective can read.

    Args:
        model: a recipe (file, folder of a run, or mapping): its student and teacher, and pairs of their layers; or one
            model: a module, or whatever `teacher.from` takes but black boxes. Nothing is downloaded.
        size: of one example of a single model, such as (3, 64, 64); `None`: the model's own where it is known.
        inputs: instead of `size`: a batch of three rows or more, a mapping for named arguments; or what it looks like
            in words, `["input_ids=int:20", "attention_mask=ones:20"]` (token ids 0, a mask of ones; see
            `limbeck.verbs.example_inputs`).
        overrides: dotted recipe keys; for one model keys of the `teacher` section, such as `{"settings.width": 8}`.
        trust_code: whether names of the form `module:function` may be loaded.

    Returns:
        Models and pairs.

    Raises:
        InputError: a model cannot be built or run.
    """
    from torch import nn

    if isinstance(model, nn.Module):
        return Taps(models=[_listed("model", type(model).__name__, model, _batch(size, inputs))], pairs=[])
    if isinstance(model, Mapping) or _is_recipe(Path(model)):
        if size is not None or inputs is not None:
            raise InputError("taps: a recipe's data say what an example looks like; leave out size and input")
        return _of_recipe(model, overrides, trust_code=trust_code)
    return _of_name(str(model), size, inputs, overrides, trust_code=trust_code)


def _is_recipe(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml") or (path / "recipe.yaml").is_file()


def _of_recipe(
    recipe: Path | str | Mapping[str, Any], overrides: Mapping[str, Any] | None, *, trust_code: bool
) -> Taps:
    from limbeck.recipe import from_mapping, load
    from limbeck.recipe.model import GUIDE
    from limbeck.runs.build import student_blueprint, teacher_blueprint
    from limbeck.runs.given import Given
    from limbeck.runs.lent import lent
    from limbeck.runs.needed import require_packages
    from limbeck.runs.splits import open_splits
    from limbeck.task import named
    from limbeck.verbs.pairing import pairs

    require_packages()
    if isinstance(recipe, Mapping):
        loaded, folder = from_mapping(recipe, overrides=overrides), None
    else:
        path = Path(recipe) / "recipe.yaml" if Path(recipe).is_dir() else Path(recipe)
        loaded, folder = load(path, overrides), path.absolute().parent
    given = Given(trust_code=trust_code, folder=folder)
    with lent():
        splits = open_splits(loaded, given, named(loaded.task))
        raw = splits.transfer.read(_rows(len(splits.transfer)))
        student = _of_blueprint("student", student_blueprint(loaded, given, splits), loaded, raw)
        if loaded.teacher.from_ == GUIDE or loaded.teacher.grows:
            return Taps(models=[student], pairs=[])
        teacher = _of_blueprint("teacher", teacher_blueprint(loaded, given, splits), loaded, raw)
    found = pairs(_as_places(student), _as_places(teacher))
    facts = [PairFacts(student=each.student, teacher=each.teacher, why=each.why, line=each.line) for each in found]
    return Taps(models=[student, teacher], pairs=facts)


def _rows(count: int) -> Any:  # noqa: ANN401 - an array
    import numpy as np

    return np.arange(_ROWS) % count


def _of_blueprint(
    role: Literal["student", "teacher"],
    blueprint: "Blueprint",
    recipe: "Recipe",
    raw: Any,  # noqa: ANN401 - an array
) -> ModelTaps:
    import numpy as np
    import torch

    from limbeck.core.outputs import inner
    from limbeck.data.preprocess import Preprocess
    from limbeck.runs.black_box import hidden
    from limbeck.teachers.heads import Adapted

    module = blueprint.make(recipe.seed)
    module = inner(module.model if isinstance(module, Adapted) else module)
    name = str(blueprint.spec.get("family") or blueprint.spec.get("module"))
    if hidden(module)[0]:
        return ModelTaps(role=role, name=name, input=[], params=hidden(module)[0], places=[])
    seen = Preprocess(blueprint.preprocess)(torch.from_numpy(np.ascontiguousarray(raw)))
    return _listed(role, name, module, seen)


def _of_name(
    name: str,
    size: Sequence[int] | None,
    inputs: Any,  # noqa: ANN401
    overrides: Mapping[str, Any] | None,
    *,
    trust_code: bool,
) -> Taps:
    from limbeck.core.libraries import from_library
    from limbeck.core.outputs import inner
    from limbeck.recipe import from_mapping
    from limbeck.runs.brought import bring
    from limbeck.runs.given import Given

    changes = {f"teacher.{key}": value for key, value in (overrides or {}).items()}
    if from_library(name) and "teacher.weights" not in changes:
        changes["teacher.pretrained"] = False
    section = {"data": {"train": "digits"}, "teacher": {"from": name}}
    teacher = from_mapping(section, overrides=changes).teacher
    brought = bring(teacher, Given(trust_code=trust_code, folder=Path.cwd()), _example(size), _OUTPUTS)
    if brought.black_box:
        raise ModelError(f"taps: {name} is asked and never looked into, so nothing in it can be tapped")
    module = inner(_sized(brought, name, size, teacher))
    seen = _batch(size or (None if inputs is not None else _own_size(brought)), inputs)
    return Taps(models=[_listed("model", brought.name, module, seen)], pairs=[])


def _example(size: Sequence[int] | None) -> Any:  # noqa: ANN401 - an InputSpec
    from limbeck.data.source import InputSpec

    if size is None or len(size) == 3:
        return InputSpec("image", (3, 224, 224) if size is None else (*size,), "uint8")
    return InputSpec("array", (*size,), "float32")


def _sized(brought: "Brought", name: str, size: Sequence[int] | None, teacher: "Teacher") -> "nn.Module":
    """A library's model for pictures of that size, which some architectures fix when they are built."""
    from limbeck.core.libraries import build_from_library, from_library

    if size is None or not from_library(name) or teacher.weights is not None:
        return brought.module
    settings = dict(teacher.settings)
    return build_from_library(name, inputs=(*size,), outputs=_OUTPUTS, settings=settings, where="taps")


def _own_size(brought: "Brought") -> tuple[int, ...] | None:
    if brought.inputs is not None:
        return brought.inputs
    spec = brought.preprocess
    return None if spec is None or spec.size is None else (spec.channels or 3, *spec.size)


def _batch(size: Sequence[int] | None, inputs: Any) -> Any:  # noqa: ANN401
    import torch

    if inputs is not None:
        if size is not None:
            raise InputError("taps: size and inputs say the same thing; leave one out")
        return batch_of(inputs, _ROWS) if _in_words(inputs) else inputs
    if size is None:
        raise InputError(
            "taps: what the model takes is not known; say --size 3x64x64 for pictures, --size 20 for rows of 20 "
            "numbers, --input int:20 for 20 token ids, --input NAME=int:20 for each of several named tensors (in "
            "Python size=(3, 64, 64), or inputs= with a batch)"
        )
    return torch.zeros(_ROWS, *size)


def _in_words(inputs: Any) -> bool:  # noqa: ANN401
    return isinstance(inputs, list | tuple) and all(isinstance(each, str) for each in inputs)


def _listed(
    role: Literal["student", "teacher", "model"],
    name: str,
    module: "nn.Module",
    inputs: Any,  # noqa: ANN401
) -> ModelTaps:
    from limbeck.core.printed import reason
    from limbeck.measuring.cost import counting, parameters
    from limbeck.tapping import shapes
    from limbeck.tapping.path import tensors_in

    given = [tuple(tensor.shape) for _, tensor in tensors_in(inputs)]
    if not given or not all(shape and shape[0] == given[0][0] for shape in given):
        raise InputError(f"taps: inputs must be tensors with one batch axis, got shapes {given}")
    try:
        with counting() as count:
            places = shapes(module, inputs, count=count)
    except Exception as error:  # foreign code may raise anything
        shapes_given = ", ".join(str(shape[1:]) for shape in given)
        raise ModelError(
            f"taps: {name} fails on an example of {shapes_given}: {reason(error)}{_mend(inputs)}"
        ) from error
    return ModelTaps(
        role=role,
        name=name,
        input=[shape[1:] for shape in given],
        params=parameters(module),
        places=[
            TapFacts(
                path=place.path, part=place.part, kind=place.kind, shape=place.shape, bytes_per_example=place.bytes,
                params=place.params, macs=place.work or 0, runs=place.runs,
            )
            for place in places
        ],
    )  # fmt: skip


def _mend(inputs: Any) -> str:  # noqa: ANN401
    """For numbers in rows, which may have been meant for token ids."""
    if getattr(inputs, "ndim", 0) != 2 or not inputs.is_floating_point():
        return ""
    return (
        f"; if it takes token ids, say --input int:{inputs.shape[1]}, if several tensors, --input NAME=int:"
        f"{inputs.shape[1]} for each (in Python inputs=)"
    )


def _as_places(model: ModelTaps) -> Any:  # noqa: ANN401 - a list of places
    from limbeck.tapping import Place

    return [
        Place(fact.path, fact.part, fact.kind, fact.shape, fact.bytes_per_example, fact.params, fact.macs, fact.runs)
        for fact in model.places
    ]
