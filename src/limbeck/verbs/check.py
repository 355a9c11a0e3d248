"""`check`: what a recipe would do, found out without doing it. Nothing is written, nothing is trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from limbeck import profiles
from limbeck.errors import ModelError

if TYPE_CHECKING:
    from limbeck.recipe import Recipe
    from limbeck.runs.build import Blueprint
    from limbeck.runs.plan import Plan


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ModelFacts(_Frozen):
    """One model, before it is trained."""

    name: str
    params: int
    macs: int | None = Field(description="multiply-accumulates of one example; null: not counted in an ONNX file")
    size_bytes: int = Field(description="weights as they are stored")
    steps: int = Field(description="optimiser steps of one training; 0 for a teacher that exists")


class ArmFacts(_Frozen):
    """One side of the comparison, and what it costs."""

    role: str
    candidates: int = Field(description="what validation may choose among")
    runs: int = Field(description="trainings at full length")
    steps: int = Field(description="optimiser steps of all its trainings")


class Checked(_Frozen):
    """What a run would do."""

    name: str
    input: str
    classes: list[str]
    examples: dict[str, int] = Field(description="teacher, labelled, unlabelled, validation, test")
    teacher: ModelFacts | None = Field(description="null: it exists only as its guide")
    student: ModelFacts
    epochs: int
    batch_size: int
    arms: list[ArmFacts]
    peak_memory_bytes: int | None = Field(description="of the student: live activations, batch 1, float32")
    training_memory_mb: float = Field(description="rough: weights, gradients, optimiser and activations of one pass")
    fits: list[str] = Field(description="the student against the device's limits, as far as they are known")
    exceeds: list[str] = Field(description="limits that the student cannot meet")
    notes: list[str]
    taught_by: str | None = Field(default=None, description="who grows with the student, where there is no teacher")


FEW_STEPS = 200
"""Below so many steps a student has hardly begun."""


def check(
    *, recipe: Path | str | Mapping[str, Any], overrides: Mapping[str, Any] | None = None, trust_code: bool = False
) -> Checked:
    """Loads a recipe, opens its data, builds its teacher and student, and says what a run would do.

    Args:
        recipe: a recipe file, or its keys as a mapping.
        overrides: dotted recipe keys, such as `{"train.epochs": 5}`.
        trust_code: whether names of the form `module:function` in the recipe may be loaded.

    Returns:
        Examples, sizes, costs and steps.

    Raises:
        InputError: the run would be refused; the message names the mend.
    """
    from limbeck.runs.needed import require_packages

    require_packages()  # before anything below imports them

    from limbeck.recipe import from_mapping, load
    from limbeck.runs.given import Given
    from limbeck.runs.lent import lent
    from limbeck.runs.plan import plan

    if isinstance(recipe, Path | str):
        loaded, folder = load(recipe, overrides), Path(recipe).absolute().parent
    else:
        loaded, folder = from_mapping(recipe, overrides=overrides), None
    with lent():
        return _facts(plan(loaded, Given(trust_code=trust_code, folder=folder)))


def _facts(plan: "Plan") -> Checked:
    from limbeck.data.loader import steps_for
    from limbeck.runs.growing import growth_of

    recipe, splits = plan.recipe, plan.splits
    train = recipe.teacher.learns
    steps = steps_for(train.epochs, len(splits.teacher), recipe.train.batch_size) if train is not None else 0
    student = _model(plan.student, plan, recipe.student.family or recipe.student.module or "given", plan.steps)
    peak = _peak(plan)
    findings = _findings(recipe, student, peak)
    return Checked(
        name=recipe.name,
        input=str(splits.transfer.spec),
        classes=list(splits.classes),
        examples={
            "teacher": len(splits.teacher) if train is not None else 0,
            "labelled": len(splits.labelled),
            "unlabelled": int((splits.transfer.labels < 0).sum()),
            "validation": len(splits.validation),
            "test": len(splits.test),
        },
        teacher=None if plan.teacher is None else _model(plan.teacher, plan, _family(plan), steps),
        student=student,
        epochs=recipe.train.epochs,
        batch_size=recipe.train.batch_size,
        arms=[_arm(plan, place) for place in range(len(plan.arms))],
        peak_memory_bytes=peak,
        training_memory_mb=round(_training_bytes(plan) / 2**20, 1),
        fits=[str(finding) for finding in findings if finding.fits],
        exceeds=[str(finding) for finding in findings if not finding.fits],
        notes=_notes(plan),
        taught_by=str(growth_of(recipe) or "") or None,
    )


def _model(blueprint: "Blueprint", plan: "Plan", name: str, steps: int) -> ModelFacts:
    from limbeck.measuring.cost import macs, parameters, weights_bytes
    from limbeck.runs.black_box import hidden

    model = blueprint.prepared(plan.recipe.seed)
    numbers, size = hidden(model)
    return ModelFacts(
        name=name,
        params=parameters(model) + numbers,
        macs=None if numbers else macs(model, _example(plan, 1)),
        size_bytes=weights_bytes(model) + size,
        steps=steps,
    )


def _peak(plan: "Plan") -> int | None:
    from limbeck.measuring.cost import peak_activation_bytes

    try:
        return peak_activation_bytes(plan.student.prepared(plan.recipe.seed), _example(plan, 1))
    except ModelError:  # it cannot be traced; the export will say so
        return None


def _example(plan: "Plan", count: int) -> Any:  # noqa: ANN401 - a tensor; torch is not imported for its name
    import numpy as np
    import torch

    rows = np.arange(count) % len(plan.splits.validation)
    return torch.from_numpy(np.ascontiguousarray(plan.splits.validation.read(rows)))


def _findings(recipe: "Recipe", student: ModelFacts, peak: int | None) -> list[profiles.Finding]:
    if recipe.device is None:
        return []
    return profiles.check(recipe.device.profile, size_bytes=student.size_bytes, peak_memory_bytes=peak)


def _arm(plan: "Plan", place: int) -> ArmFacts:
    """What an arm costs: short trials, finalists at full length, and a run a seed; one finalist is a seed's run."""
    arm, recipe = plan.arms[place], plan.recipe
    candidates, seeds = len(arm.candidates), max(1, recipe.verdict.seeds)
    if candidates == 1:
        return ArmFacts(role=arm.role, candidates=1, runs=seeds, steps=seeds * plan.steps)
    short = max(1, round(recipe.tune.short_share * plan.steps))
    runs = seeds + min(recipe.tune.finalists, candidates) - 1
    return ArmFacts(role=arm.role, candidates=candidates, runs=runs, steps=candidates * short + runs * plan.steps)


def _training_bytes(plan: "Plan") -> int:
    """Weights, gradients and two moments of the optimiser (4 bytes each), and what a pass keeps for the way back."""
    import torch

    model = plan.student.prepared(plan.recipe.seed).train()
    weights = {parameter.data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    rows = 2  # batch normalisation refuses to train on one
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(_example(plan, rows)).sum()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    train = plan.recipe.train
    beside = 4 * parameters * ((train.ema is not None) + (train.patience is not None))  # the average, the best so far
    at_once = -(-train.batch_size // train.accumulate)
    alone = 16 * parameters + sum(kept.values()) * at_once // rows
    averaged = 4 * parameters * (plan.recipe.teacher.ema is not None)
    return alone * (plan.recipe.teacher.peers or 1) + beside + averaged


def _notes(plan: "Plan") -> list[str]:
    from limbeck.runs.growing import growth_of
    from limbeck.runs.teacher import kept_teacher

    notes = [*plan.splits.notes, *map(str, plan.splits.overlaps)] + ([plan.views.note] if plan.views.note else [])
    if plan.recipe.lineage is not None:
        links = len(plan.recipe.lineage.via) + 1 if plan.recipe.lineage.via else plan.recipe.lineage.generations
        notes.append(f"a lineage of {links} runs like this one, one after the other; each student teaches the next")
    still = kept_teacher(plan.views) if plan.recipe.teacher.rule == "random-view" else None
    notes += [] if still is None else [still]
    growth = growth_of(plan.recipe)
    notes += [] if growth is None else [growth.note]
    notes += [*plan.student.notes, *(() if plan.teacher is None else plan.teacher.notes)]
    if not plan.student.reseeds:
        notes.append("the student starts from the same weights for every seed: seeds vary order and dropout only")
    if 0 < plan.recipe.verdict.seeds < 3:
        notes.append(f"{plan.recipe.verdict.seeds} seeds are always inconclusive; verdict.seeds: 5 is the default")
    if plan.steps < FEW_STEPS:
        notes.append(
            f"{plan.steps} steps are few for any student: raise train.epochs, or lower train.batch_size "
            f"({plan.recipe.train.batch_size})"
        )
    if len(plan.splits.validation) < 200:
        notes.append(f"validation has {len(plan.splits.validation)} examples, so its choices are coarse")
    return notes


def _family(plan: "Plan") -> str:
    teacher = plan.recipe.teacher
    if teacher.ensemble is not None:
        return f"{len(teacher.ensemble)} teachers as one"
    return teacher.train.family if teacher.train is not None else teacher.from_ or "given"
