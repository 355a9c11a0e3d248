"""The trained teacher as a folder of its own, for other students and for other code."""

import shutil
from pathlib import Path
from typing import Any

from limbeck.core.identity import file_fingerprint
from limbeck.core.libraries import from_library
from limbeck.core.storage import write_atomically, write_json, write_tensors
from limbeck.core.version import __version__
from limbeck.recipe.model import Recipe
from limbeck.record import Estimate
from limbeck.runs.fit import Fitted
from limbeck.runs.splits import Splits
from limbeck.task import Task
from limbeck.teachers.live import LiveTeacher

SCHEMA_VERSION = 1


def keep_teacher(
    folder: Path, *, recipe: Recipe, splits: Splits, task: Task, teacher: LiveTeacher, fitted: Fitted, quality: Estimate
) -> None:
    """Writes `model.safetensors`, then `config.json`: a folder with a config is whole.

    Args:
        folder: `teacher/` of the run.
        recipe: names the run.
        splits: what it was trained on.
        task: what it does.
        teacher: frozen.
        fitted: how it was trained.
        quality: the primary metric on validation.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    weights = folder / "model.safetensors"
    spec, job = dict(fitted.job.blueprint.spec), fitted.job
    if "family" in spec:
        write_atomically(weights, lambda temporary: shutil.copyfile(fitted.folder / "weights.safetensors", temporary))
    else:
        write_tensors(weights, teacher.module.state_dict())
        spec = _brought(recipe)
    inputs = splits.teacher.spec
    config: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "limbeck_version": __version__,
        "name": recipe.name,
        "task": task.name,
        "family": spec.pop("family"),
        "settings": spec,
        "input": {"kind": inputs.kind, "shape": list(inputs.shape), "dtype": inputs.dtype},
        "preprocess": teacher.preprocess.spec.as_dict(),
        "classes": list(splits.classes),
        "quality": {
            "metric": task.metric.name,
            "value": quality.value,
            "ci95": quality.ci95,
            "split": "validation",
        },
        "training": {"examples": len(job.source), "steps": fitted.steps, "seed": job.seed, **job.settings},
        "fingerprint": teacher.fingerprint(),
        "sha256": {weights.name: file_fingerprint(weights)},
        "licence": None,
        "origin": recipe.teacher.from_,
    }
    write_json(folder / "config.json", config)


def _brought(recipe: Recipe) -> dict[str, Any]:
    """The family of a teacher that got a new head: known where a library builds the whole of it again."""
    brought = recipe.teacher
    alone = brought.output is None and brought.output_kind != "probabilities"
    rebuilt = brought.from_ is not None and from_library(brought.from_) and alone
    own_head = brought.adapt is not None and brought.adapt.head is not None
    return {"family": brought.from_, **brought.settings} if rebuilt and not own_head else {"family": None}
