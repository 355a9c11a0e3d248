"""From trained models to the record's models: read test once, measure, write predictions beside the record."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from limbeck.data.loader import evaluation_batches
from limbeck.data.preprocess import Prepared
from limbeck.measuring import cost
from limbeck.measuring.calibration import calibration
from limbeck.measuring.evaluate import predict
from limbeck.measuring.fidelity import agreement_ceiling, fidelity
from limbeck.measuring.latency import torch_latency
from limbeck.measuring.modes import device_of
from limbeck.measuring.quality import quality
from limbeck.record import Fidelity, Latency, ModelRecord, Role
from limbeck.runs.black_box import hidden
from limbeck.runs.fit import Fitted, Settings
from limbeck.runs.predictions import save_arrays, save_history, teacher_logits
from limbeck.runs.splits import Splits
from limbeck.task import Task
from limbeck.teachers.live import LiveTeacher

PROGRAM = "multiply-accumulates and peak memory are not counted in an ONNX file."
"""Stands where a teacher is one."""
Logits = Float[np.ndarray, "_ classes"]


@dataclass(frozen=True, slots=True)
class Costs:
    """What does not depend on the weights' values: alike for all seeds of an architecture."""

    params: int
    macs: int | None
    size_bytes: int
    peak_memory_bytes: int | None
    latency_ms: list[Latency]
    note: str | None


@dataclass(frozen=True, slots=True)
class Subject:
    """One model with what it said.

    Attributes:
        role: teacher, student, ...
        name: for people.
        seed: `None` for a teacher that was not trained here.
        settings: what tuning chose.
        fitted: how it was trained.
        validation: logits on validation.
        test: logits on test.
        costs: of its architecture.
    """

    role: Role
    name: str
    seed: int | None
    settings: Settings
    fitted: Fitted | None
    validation: Logits
    test: Logits
    costs: Costs


def costs(model: nn.Module, splits: Splits) -> Costs:
    """Parameters, multiply-accumulates, bytes, peak memory and latency (torch, batch 1, one CPU thread) of a model.

    All are measured on the CPU, wherever the model lies, so that those of teacher and student can be compared.

    What cannot be counted is left `None`, not guessed.
    """
    example = torch.from_numpy(np.ascontiguousarray(splits.validation.read(np.arange(1))))
    model = model if device_of(model).type == "cpu" else copy.deepcopy(model).to("cpu")
    found = cost.cost(model, example)
    numbers, size = hidden(model)
    latency = torch_latency(model, example, threads=1, batch=1)
    return Costs(
        params=found.params + numbers,
        macs=None if numbers else found.macs,
        size_bytes=found.size_bytes + size,
        peak_memory_bytes=found.peak_memory_bytes,
        latency_ms=[latency.model_copy(update={"runtime": "onnxruntime"}) if numbers else latency],
        note=PROGRAM if numbers else found.note,
    )


def notes_on_costs(subjects: list[Subject]) -> list[str]:
    """Which roles lack a number, and why."""
    noted = {subject.role: subject.costs.note for subject in subjects if subject.costs.note is not None}
    return [f"{role}: {note}" for role, note in noted.items()]


def student_subjects(runs: list[Fitted], splits: Splits, batch_size: int) -> list[Subject]:
    """Asks every trained model about validation and test; costs are measured once."""
    shared = costs(runs[0].model(), splits)
    subjects = []
    for fitted in runs:
        model = fitted.model()
        subjects.append(
            Subject(
                role=fitted.job.role,
                name=fitted.job.name,
                seed=fitted.job.seed,
                settings=fitted.job.settings,
                fitted=fitted,
                validation=predict(model, evaluation_batches(splits.validation, batch_size)),
                test=predict(model, evaluation_batches(splits.test, batch_size)),
                costs=shared,
            )
        )
    return subjects


def teacher_subject(teacher: LiveTeacher, fitted: Fitted | None, splits: Splits, batch_size: int, seed: int) -> Subject:
    """Asks the teacher about validation and test."""
    module = Prepared(teacher.module, teacher.preprocess)
    subject = Subject(
        role="teacher",
        name="teacher",
        seed=seed if fitted is not None else None,
        settings={} if fitted is None else fitted.job.settings,
        fitted=fitted,
        validation=teacher_logits(teacher, evaluation_batches(splits.validation, batch_size)),
        test=teacher_logits(teacher, evaluation_batches(splits.test, batch_size)),
        costs=costs(module, splits),
    )
    module.requires_grad_(requires_grad=False)
    return subject


def model_records(subjects: list[Subject], splits: Splits, task: Task, folder: Path) -> list[ModelRecord]:
    """Measures what each model said, and writes predictions and histories into the run's folder."""
    teacher = next((subject for subject in subjects if subject.role == "teacher"), None)
    records = []
    for subject in subjects:
        alike = [other.test for other in subjects if other.role == subject.role]
        ceiling = agreement_ceiling(task, alike) if len(alike) > 1 else None
        faithful = None
        if teacher is not None and subject is not teacher:
            faithful = fidelity(task, subject.test, teacher.test, splits.test.labels, ceiling)
        records.append(_record(subject, faithful, splits, task, folder))
    return records


def _record(subject: Subject, faithful: Fidelity | None, splits: Splits, task: Task, folder: Path) -> ModelRecord:
    target = splits.test.labels
    file = subject.role if subject.seed is None else f"{subject.role}-seed{subject.seed}"
    history: list[dict[str, Any]] | None = None if subject.fitted is None else subject.fitted.history
    return ModelRecord(
        role=subject.role,
        name=subject.name,
        seed=subject.seed,
        settings=dict(subject.settings),
        steps=None if subject.fitted is None else subject.fitted.steps,
        quality={
            "validation": quality(task, subject.validation, splits.validation.labels),
            "test": quality(task, subject.test, target),
        },
        fidelity=faithful,
        calibration=calibration(subject.test, target) if task.calibrated else None,
        params=subject.costs.params,
        macs=subject.costs.macs,
        size_bytes=subject.costs.size_bytes,
        peak_memory_bytes=subject.costs.peak_memory_bytes,
        latency_ms=subject.costs.latency_ms,
        train_s=None if subject.fitted is None else subject.fitted.seconds,
        predictions=save_arrays(folder, f"predictions/{file}", logits=subject.test.astype(np.float32)),
        history=None if history is None else save_history(folder, f"history/{file}", history),
    )
