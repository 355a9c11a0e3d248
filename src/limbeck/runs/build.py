"""Modules from recipes: which module, with which preprocessing, and whether it fits the data."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from limbeck import students, teachers
from limbeck.core.dotted import load_object
from limbeck.core.runtime import seed_everything
from limbeck.data.preprocess import Prepared, Preprocess, PreprocessSpec, normalisation
from limbeck.data.source import Source
from limbeck.errors import ModelError
from limbeck.measuring.modes import device_of, evaluating
from limbeck.recipe.model import GIVEN, Recipe, TeacherPreprocess
from limbeck.runs.given import Given
from limbeck.runs.splits import Splits
from limbeck.teachers.classes import columns

_SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class Blueprint:
    """How to make one kind of model, freshly initialised for a seed.

    Attributes:
        make: seed -> module; takes preprocessed input.
        preprocess: what stands before it.
        spec: how it is named in bundles: `{"family": ..., knobs}` or `{"module": ...}`.
        reseeds: whether another seed gives other initial weights.
    """

    make: Callable[[int], nn.Module]
    preprocess: PreprocessSpec
    spec: dict[str, Any]
    reseeds: bool = True

    def prepared(self, seed: int) -> Prepared:
        """A fresh model behind its preprocessing."""
        return Prepared(self.make(seed), Preprocess(self.preprocess))


def _nobody(seed: int) -> nn.Module:
    raise AssertionError(f"a plan without a student was asked for one (seed {seed})")


NOBODY = Blueprint(_nobody, PreprocessSpec(), {})
"""Stands where no student is needed."""


def student_blueprint(recipe: Recipe, given: Given, splits: Splits) -> Blueprint:
    """The student of the recipe, or the one that was given.

    Args:
        recipe: its `student` section.
        given: a module, or a function that makes one.
        splits: input shape, classes, and the statistics of the preprocessing.

    Returns:
        The blueprint, tried on two examples.

    Raises:
        ModelError: it cannot be built, or does not give logits `(b, classes)`.
    """
    shape, outputs = tuple(splits.transfer.spec.shape), len(splits.classes)
    if recipe.student.family is not None:
        spec = {"family": recipe.student.family, **recipe.student.settings}
        make = _seeded(lambda: students.build(spec, inputs=shape, outputs=outputs))
        blueprint = Blueprint(make, normalisation(_sample(splits.transfer)), spec)
    else:
        what, name = _foreign(recipe.student.module, given.student, given, "student")
        preprocess = _default_preprocess(splits)
        if isinstance(what, nn.Module):
            own = _copied(what)  # what its owner does with it meanwhile is no business of the run's
            blueprint = Blueprint(lambda _seed: _copied(own), preprocess, {"module": name}, reseeds=False)
        else:
            blueprint = Blueprint(_seeded(lambda: _called(what, "student")), preprocess, {"module": name})
    model = blueprint.prepared(recipe.seed)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ModelError("the student has no parameter that requires a gradient, so there is nothing to train")
    _try(model, splits.transfer, outputs, "student")
    return blueprint


def teacher_blueprint(recipe: Recipe, given: Given, splits: Splits) -> Blueprint:
    """The teacher of the recipe, untrained if it is to be trained; or the one that was given.

    Args:
        recipe: its `teacher` section.
        given: a module.
        splits: input shape, classes, and the statistics of the preprocessing.

    Returns:
        The blueprint, tried on two examples.

    Raises:
        ModelError: it cannot be built, or its weights or outputs do not fit.
    """
    shape, outputs = tuple(splits.transfer.spec.shape), len(splits.classes)
    train = recipe.teacher.train
    own = recipe.teacher.preprocess
    if train is not None:
        spec = {"family": train.family, **train.settings}
        preprocess = normalisation(_sample(splits.teacher)) if own is None else _as_spec(own, splits)
        make = _seeded(lambda: teachers.build(spec, inputs=shape, outputs=outputs))
        blueprint = Blueprint(make, preprocess, spec)
        _try(blueprint.prepared(recipe.seed), splits.transfer, outputs, "teacher")
        return blueprint
    seed_everything(recipe.seed)  # weights that it draws are the same when the run goes on
    what, name = _foreign(recipe.teacher.from_, given.teacher, given, "teacher")
    module = what if isinstance(what, nn.Module) else _called(what, "teacher")
    if recipe.teacher.weights is not None:
        _load_weights(module, Path(recipe.teacher.weights))
    preprocess = _default_preprocess(splits) if own is None else _as_spec(own, splits)
    blueprint = Blueprint(lambda _seed: module, preprocess, {"module": name}, reseeds=False)
    names = recipe.teacher.classes
    _try(blueprint.prepared(recipe.seed), splits.transfer, outputs if names is None else len(names), "teacher")
    if names is not None:
        columns(names, splits.classes, len(names))  # refused now, not when the run has begun
    return blueprint


def _seeded(build: Callable[[], nn.Module]) -> Callable[[int], nn.Module]:
    def make(seed: int) -> nn.Module:
        seed_everything(seed)
        return build()

    return make


def _foreign(name: str | None, given: Any, beside: Given, what: str) -> tuple[Any, str]:  # noqa: ANN401
    """The user's own module or factory, and what to call it."""
    if name is None or name == GIVEN:
        if given is None:
            raise ModelError(f"{what} is 'given', but none was given; pass {what}=... to distil()")
        kind = type(given) if isinstance(given, nn.Module) else given
        return given, f"{getattr(kind, '__module__', '')}:{getattr(kind, '__qualname__', what)}"
    return load_object(name, trust_code=beside.trust_code, what=what, folder=beside.folder), name


def _called(factory: Any, what: str) -> nn.Module:  # noqa: ANN401
    if not callable(factory):
        raise ModelError(f"{what}: expected a module or a function that makes one, got {type(factory).__name__}")
    try:
        module = factory()
    except Exception as error:  # foreign code may raise anything
        raise ModelError(f"{what}: making it failed: {_reason(error)}; it is called without arguments") from error
    if not isinstance(module, nn.Module):
        raise ModelError(f"{what}: the function must return a torch.nn.Module, it returned {type(module).__name__}")
    return module


def _copied(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module)
    except Exception as error:
        raise ModelError(
            f"the student cannot be copied for each seed: {_reason(error)}; give a function that makes a fresh one"
        ) from error


def _reason(error: Exception) -> str:
    """The first line of what foreign code complained about."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _default_preprocess(splits: Splits) -> PreprocessSpec:
    """Pictures are normalised; a data set that yields floats has said what its models want."""
    if splits.transfer.spec.dtype == "uint8":
        return normalisation(_sample(splits.transfer))
    return PreprocessSpec()


def _as_spec(own: TeacherPreprocess, splits: Splits) -> PreprocessSpec:
    """The recipe's own preprocessing; a scale left open is the one that the data's type has."""
    scale = 1 / 255 if splits.transfer.spec.dtype == "uint8" else 1.0
    return PreprocessSpec.from_dict({**own.model_dump(), "scale": own.scale or scale})


def _sample(source: Source) -> Tensor:
    """At most 10,000 examples, evenly spaced, to take statistics of."""
    rows = np.unique(np.linspace(0, len(source) - 1, min(len(source), _SAMPLE)).astype(np.int64))
    return torch.from_numpy(np.ascontiguousarray(source.read(rows)))


def _try(model: Prepared, source: Source, outputs: int, what: str) -> None:
    """Runs two examples, so that a model that does not fit is refused before anything is written."""
    raw = torch.from_numpy(np.ascontiguousarray(source.read(np.arange(min(2, len(source))))))
    device = device_of(model)
    model.preprocess.to(device)
    try:
        with evaluating(model), torch.no_grad():
            logits = model(raw.to(device))
    except Exception as error:  # foreign code may raise anything
        raise ModelError(f"the {what} fails on examples of {source.spec}: {_reason(error)}") from error
    if not isinstance(logits, Tensor) or tuple(logits.shape) != (len(raw), outputs):
        got = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        hint = "name its classes in teacher.classes" if what == "teacher" else "give it one output a class"
        raise ModelError(f"the {what} must give logits (rows, {outputs}), it gave {got} for {len(raw)} rows; {hint}")


def _load_weights(module: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise ModelError(f"teacher.weights: {path} is not a file")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            state = load_file(path)
        except SafetensorError as error:
            raise ModelError(f"teacher.weights: {path} cannot be read: {error}; save it again") from error
    else:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise ModelError(
                f"teacher.weights: {path} is not a file of plain tensors ({type(error).__name__}); "
                "save the state_dict, best as .safetensors"
            ) from error
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ModelError(
            f"teacher.weights: {path} does not fit the teacher: {str(error).splitlines()[-1].strip()}"
        ) from error
