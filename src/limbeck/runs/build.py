"""Modules from recipes: which module, with which preprocessing, and whether it fits the data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from limbeck import students, teachers
from limbeck.core.identity import state_fingerprint
from limbeck.core.libraries import from_library
from limbeck.core.outputs import LogitsOf, Place, inner
from limbeck.core.runtime import seed_everything
from limbeck.core.weights import fit_state, read_state
from limbeck.data.preprocess import Prepared, Preprocess, PreprocessSpec, normalisation
from limbeck.data.source import Source
from limbeck.errors import ModelError
from limbeck.recipe.model import Recipe, Student, Teacher, TeacherPreprocess
from limbeck.runs.brought import Brought, bring, with_shape
from limbeck.runs.foreign import called, copied, foreign
from limbeck.runs.given import Given
from limbeck.runs.splits import Splits
from limbeck.runs.tryout import like_probabilities, tried
from limbeck.teachers.classes import columns
from limbeck.teachers.ensemble import Together
from limbeck.teachers.heads import Adapted, Probe, heads_of, replace_heads
from limbeck.teachers.rules import Panel, check

_SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class Blueprint:
    """How to make one kind of model, freshly initialised for a seed.

    Attributes:
        make: seed -> module; takes preprocessed input.
        preprocess: what stands before it.
        spec: how it is named in bundles: `{"family": ..., knobs}` or `{"module": ...}`.
        reseeds: whether another seed gives other initial weights.
        classes: a teacher's own class names, in its own order; `None`: the data's.
        notes: what the reader should know.
        knows: of a specialist, which of the data's classes it knows, in the data's order; `None`: all of them.
        members: of an ensemble, its teachers.
    """

    make: Callable[[int], nn.Module]
    preprocess: PreprocessSpec
    spec: dict[str, Any]
    reseeds: bool = True
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    knows: tuple[str, ...] | None = None
    members: tuple["Blueprint", ...] = ()

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
        blueprint = _foreign_student(recipe.student, given, splits)
    if recipe.student.weights is not None:
        blueprint = _started(blueprint, recipe.student, recipe.seed)
    model = blueprint.prepared(recipe.seed)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ModelError("the student has no parameter that requires a gradient, so there is nothing to train")
    library = recipe.student.family is not None and from_library(recipe.student.family)
    hint = "; the pictures may be too small for it: data.size, or the library's own patch_size" if library else ""
    tried(model, splits.transfer, outputs, "student", own_output=recipe.student.family is None, hint=hint)
    return blueprint


def _foreign_student(student: Student, given: Given, splits: Splits) -> Blueprint:
    what, name = foreign(student.module, given.student, given, "student")
    preprocess, output = _default_preprocess(splits), student.output
    spec = {"module": name} if output is None else {"module": name, "output": output}
    if isinstance(what, nn.Module):
        own = copied(what, "student")  # what its owner does with it meanwhile is no business of the run's
        return Blueprint(lambda _seed: _logits_of(copied(own, "student"), output), preprocess, spec, reseeds=False)
    return Blueprint(_seeded(lambda: _logits_of(called(what, "student"), output)), preprocess, spec)


def _started(blueprint: Blueprint, student: Student, seed: int) -> Blueprint:
    """The student with weights from a file; a classifier of other classes begins anew, with each seed's own weights."""
    path = Path(student.weights or "")
    state, notes = read_state(path, where="student")

    def load(module: nn.Module) -> list[str]:
        return fit_state(module, state, path=path, where="student", but=_last(module))

    def make(seed: int) -> nn.Module:
        module = blueprint.make(seed)
        load(module)
        return module

    told = (*blueprint.notes, *notes, *load(blueprint.make(seed)))
    first, second = (state_fingerprint(make(each).state_dict()) for each in (seed, seed + 1))
    return Blueprint(make, blueprint.preprocess, blueprint.spec, reseeds=first != second, notes=told)


def _last(module: nn.Module) -> tuple[str, ...]:
    try:
        return heads_of(inner(module))
    except ModelError:  # without a linear layer everything has to fit
        return ()


def teacher_blueprint(recipe: Recipe, given: Given, splits: Splits, *, partial: bool = False) -> Blueprint:
    """The teacher of the recipe, untrained if it is to be trained; or the one that was given.

    Args:
        recipe: its `teacher` section.
        given: a module.
        splits: input shape, classes, and the statistics of the preprocessing.
        partial: whether it may know only some of the classes, as a specialist among several.

    Returns:
        The blueprint, tried on two examples.

    Raises:
        ModelError: it cannot be built, or its weights or outputs do not fit.
    """
    if recipe.teacher.ensemble is not None:
        return _several(recipe, given, splits)
    shape, outputs = tuple(splits.transfer.spec.shape), len(splits.classes)
    train, own = recipe.teacher.train, recipe.teacher.preprocess
    if train is not None:
        spec = {"family": train.family, **train.settings}
        preprocess = normalisation(_sample(splits.teacher)) if own is None else _as_spec(own, splits, None)
        make = _seeded(lambda: teachers.build(spec, inputs=shape, outputs=outputs))
        blueprint = Blueprint(make, preprocess, spec)
        tried(blueprint.prepared(recipe.seed), splits.transfer, outputs, "teacher", own_output=False)
        return blueprint
    seed_everything(recipe.seed)  # weights that it draws are the same when the run goes on
    brought = bring(recipe.teacher, given, splits.transfer.spec, outputs)
    preprocess = _brought_preprocess(brought, own, splits)
    if recipe.teacher.adapt is not None:
        return _adapted(recipe, brought, preprocess, splits)
    return _as_it_is(recipe, brought, preprocess, splits, partial=partial)


def member_recipe(recipe: Recipe, number: int) -> Recipe:
    """The recipe with one of its several teachers, whose seed is its own."""
    member = recipe.teacher.members[number]
    return recipe.model_copy(update={"teacher": member, "seed": (recipe.seed + number) % 2**32})


def member_given(given: Given, number: int) -> Given:
    """The objects beside the recipe of one of several teachers."""
    teacher = given.teacher
    return replace(given, teacher=teacher[number]) if isinstance(teacher, list | tuple) else given


def _several(recipe: Recipe, given: Given, splits: Splits) -> Blueprint:
    numbers = range(len(recipe.teacher.members))
    members = tuple(
        teacher_blueprint(member_recipe(recipe, n), member_given(given, n), splits, partial=True) for n in numbers
    )
    asked = panel(recipe.teacher, members, splits.classes)

    def make(seed: int) -> nn.Module:
        made = [member.prepared(seed + n) for n, member in enumerate(members)]
        return Together(made, [taken_columns(member, splits.classes) for member in members], asked)

    return Blueprint(
        make, PreprocessSpec(), {"ensemble": [member.spec for member in members]},
        reseeds=any(member.reseeds for member in members), members=members,
        notes=tuple(dict.fromkeys(note for member in members for note in member.notes)),
    )  # fmt: skip


def panel(
    teacher: Teacher, members: Sequence[Blueprint], classes: tuple[str, ...], learned: tuple[float, ...] | None = None
) -> Panel:
    """How the recipe combines its teachers; without `learned` weights, equal ones stand for those to be learned.

    Raises:
        ModelError: the teachers know too little, or cannot be combined so.
    """
    shares = teacher.shares if isinstance(teacher.shares, tuple) else learned or (1.0,) * len(members)
    places = (None if m.knows is None else tuple(classes.index(name) for name in m.knows) for m in members)
    made = Panel(teacher.rule, tuple(share / sum(shares) for share in shares), tuple(places))
    check(made)
    return made


def taken_columns(blueprint: Blueprint, classes: tuple[str, ...]) -> tuple[int, ...] | None:
    """Which of a teacher's outputs stand for the data's classes, or for those of them that it knows."""
    names = blueprint.classes
    return None if names is None else columns(names, blueprint.knows or classes, len(names))


def _as_it_is(
    recipe: Recipe, brought: Brought, preprocess: PreprocessSpec, splits: Splits, *, partial: bool
) -> Blueprint:
    teacher, outputs = recipe.teacher, len(splits.classes)
    names = teacher.classes or brought.classes
    module = _answering(brought.module, brought, teacher)
    blueprint = Blueprint(
        lambda _seed: module, preprocess, {"module": brought.name}, reseeds=False, classes=names, notes=brought.notes
    )
    width = outputs if names is None else len(names)
    _refuse_probabilities(tried(blueprint.prepared(recipe.seed), splits.transfer, width, "teacher"), teacher)
    if names is not None and partial and not set(splits.classes) <= set(names):
        blueprint = replace(blueprint, knows=tuple(name for name in splits.classes if name in names))
    if names is not None:
        taken_columns(blueprint, splits.classes)  # refused now, not when the run has begun
    return blueprint


def _adapted(recipe: Recipe, brought: Brought, preprocess: PreprocessSpec, splits: Splits) -> Blueprint:
    """The teacher with a new head for the data's classes, which is still to be trained."""
    outputs, how = len(splits.classes), recipe.teacher.adapt
    assert how is not None, "asked for"
    base = _answering(brought.module, brought, recipe.teacher)
    told = tried(Prepared(base, Preprocess(preprocess)), splits.transfer, None, "teacher")
    _refuse_probabilities(told, recipe.teacher)
    if brought.black_box and how.what == "all":
        raise ModelError(f"teacher.adapt: {brought.name} cannot be trained as a whole; use adapt: head")

    def make(seed: int) -> nn.Module:
        if brought.black_box:
            seed_everything(seed)
            return Adapted(Probe(base, told.shape[1], outputs), ("head",), frozen=True)
        fresh = _answering(copied(brought.module, "teacher"), brought, recipe.teacher)
        seed_everything(seed)
        heads = replace_heads(inner(fresh), outputs, how.head)
        return Adapted(fresh, heads, frozen=how.what == "head")

    spec = {"module": brought.name, "adapt": how.what}
    blueprint = Blueprint(make, preprocess, spec, notes=brought.notes)
    tried(blueprint.prepared(recipe.seed), splits.transfer, outputs, "teacher", own_output=False)
    return blueprint


def _answering(module: nn.Module, brought: Brought, teacher: Teacher) -> nn.Module:
    """A teacher's module, or a copy of it, that gives logits alone."""
    return _logits_of(module, brought.output, probabilities=teacher.output_kind == "probabilities")


def _refuse_probabilities(logits: Tensor, teacher: Teacher) -> None:
    if teacher.output_kind is None and like_probabilities(logits):
        raise ModelError(
            "the teacher's outputs are none of them negative and sum to 1 in each row, so they seem to be "
            "probabilities; say teacher.output_kind: probabilities (or logits, if they are)"
        )


def _logits_of(module: nn.Module, output: Place | None, *, probabilities: bool = False) -> nn.Module:
    """The module itself, where it gives its logits alone."""
    return LogitsOf(module, output, probabilities=probabilities) if output is not None or probabilities else module


def _seeded(build: Callable[[], nn.Module]) -> Callable[[int], nn.Module]:
    def make(seed: int) -> nn.Module:
        seed_everything(seed)
        return build()

    return make


def _default_preprocess(splits: Splits) -> PreprocessSpec:
    """Pictures are normalised; a data set that yields floats has said what its models want."""
    if splits.transfer.spec.dtype == "uint8":
        return normalisation(_sample(splits.transfer))
    return PreprocessSpec()


def _brought_preprocess(brought: Brought, own: TeacherPreprocess | None, splits: Splits) -> PreprocessSpec:
    """The model's own where it is known, with what the recipe says laid over it."""
    known = brought.preprocess
    if brought.pixels:
        known = PreprocessSpec()
    if known is not None and brought.inputs is not None:
        known = with_shape(known, brought.inputs, splits.transfer.spec)
    if own is not None:
        spec = _as_spec(own, splits, known)
        return spec if brought.inputs is None else with_shape(spec, brought.inputs, splits.transfer.spec)
    if known is not None:
        return known
    spec = _default_preprocess(splits)
    return spec if brought.inputs is None else with_shape(spec, brought.inputs, splits.transfer.spec)


def _as_spec(own: TeacherPreprocess, splits: Splits, known: PreprocessSpec | None) -> PreprocessSpec:
    """The recipe's own preprocessing; what it leaves open is the model's own, or nothing but the scale of the data."""
    base = known or PreprocessSpec(1 / 255 if splits.transfer.spec.dtype == "uint8" else 1.0)
    given = {key: value for key, value in own.model_dump().items() if value is not None}
    return PreprocessSpec.from_dict({**base.as_dict(), **given})


def _sample(source: Source) -> Tensor:
    """At most 10,000 examples, evenly spaced, to take statistics of."""
    rows = np.unique(np.linspace(0, len(source) - 1, min(len(source), _SAMPLE)).astype(np.int64))
    return torch.from_numpy(np.ascontiguousarray(source.read(rows)))
