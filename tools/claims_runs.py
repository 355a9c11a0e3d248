"""Runs beside one another as a study: the models of several record.json, compared by seed and test example."""

from pathlib import Path

import claims_record
import numpy as np

from limbeck import record as run_records
from limbeck.errors import InputError
from limbeck.record import ModelRecord, Record
from limbeck.studies.compared import read_together
from limbeck.studies.found import mean
from limbeck.studies.record import ArmRecord, Comparison, SeedRecord, StudyRecord, TeacherRecord
from limbeck.studies.verdict import MARGIN, Contrast, contrast
from limbeck.task import Array
from limbeck.task import named as task_named

KIND = "runs"
TEACHER = "teacher"


def named(folders: str) -> dict[str, Path]:
    """`FOLDER,LABEL=FOLDER` as label -> folder; the first needs none."""
    parts = [part.rpartition("=") for part in folders.split(",")]
    return {label: Path(folder) for label, _, folder in parts}


def as_study(name: str, folders: dict[str, Path]) -> StudyRecord:
    """The kept record of one run, or of several whose test examples are the same.

    Args:
        name: of the record.
        folders: label -> run; "teacher" is the first run's, and others' where they have one of their own.

    Raises:
        InputError: the runs were not tested on the same examples.
    """
    runs = {label: run_records.read(folder) for label, folder in folders.items()}
    first = next(iter(runs.values()))
    _check(runs)
    arms, scores = _arms(runs, folders)
    teachers = [_teacher(model, first.metric.name) for model in first.models if model.role == TEACHER]
    study = StudyRecord(
        limbeck_version=first.limbeck_version, created=first.created, kind=KIND, name=name,
        question="How good are these models on the same test examples?",
        answer=[run.verdict.sentence for run in runs.values() if run.verdict is not None], machine=first.machine,
        fingerprints={"data": first.fingerprints.data, "teacher": first.fingerprints.teacher,
                      **{f"recipe {label}".strip(): run.fingerprints.recipe for label, run in runs.items()}},
        task=first.task, classes=first.classes, metric=first.metric,
        margin=MARGIN if first.verdict is None else first.verdict.margin, data=first.data, teachers=teachers,
        arms=list(arms.values()), comparisons=_compared(first, arms, scores), findings=[],
        notes=list(dict.fromkeys(note for run in runs.values() for note in run.notes)),
        timing_s={f"{label} {stage}".strip(): s for label, run in runs.items() for stage, s in run.timing_s.items()},
        files={},
    )  # fmt: skip
    return claims_record.kept(study)


def _check(runs: dict[str, Record]) -> None:
    first = next(iter(runs.values()))
    for run in runs.values():
        if run.files["test"].sha256 != first.files["test"].sha256:
            raise InputError(f"{run.name} was tested on other examples than {first.name}; keep it apart")


def _arms(runs: dict[str, Record], folders: dict[str, Path]) -> tuple[dict[str, ArmRecord], dict[str, Array]]:
    """Every role of every run and what each scored; models that several runs share, once."""
    arms: dict[str, ArmRecord] = {}
    scores: dict[str, Array] = {}
    for label, run in runs.items():
        for role in dict.fromkeys(model.role for model in run.models):
            called = f"{label} {role}".strip()
            models = [model for model in run.models if model.role == role]
            found = np.stack([_scores(run, folders[label], model) for model in models])
            if any(np.array_equal(found, each) for each in scores.values()):
                continue
            scores[called] = found
            arms[called] = _arm(called, run, models, scores[called])
    return arms, scores


def _scores(run: Record, folder: Path, model: ModelRecord) -> Array:
    task = task_named(run.task)
    if model.predictions is None:
        raise InputError(f"{folder}: {model.name} kept no predictions")
    with np.load(folder / model.predictions.path) as kept, np.load(folder / run.files["test"].path) as test:
        return task.scores(kept["logits"], test["target"])[run.metric.name]


def _arm(name: str, run: Record, models: list[ModelRecord], scores: Array) -> ArmRecord:
    one, seconds = models[0], [(model.train_s or 0.0, model.steps or 1) for model in models]
    return ArmRecord(
        name=name, about=f"the {name}, {one.params:,} parameters", line=name, at=None, tutor=None,
        objective=run.objective if one.role == "student" else one.role, settings=one.settings, trials=[],
        quality=mean(scores) if len(models) > 1 else one.quality["test"][run.metric.name], steps=one.steps or 0,
        step_ms=min(1000 * took / steps for took, steps in seconds), labelled=run.data.labelled,
        examples=run.data.labelled + run.data.unlabelled, curve=[],
        seeds=[_seed(run, model) for model in models],
    )  # fmt: skip


def _seed(run: Record, model: ModelRecord) -> SeedRecord:
    faithful, metric = model.fidelity, run.metric.name
    return SeedRecord(
        seed=model.seed or 0, quality=model.quality["test"][metric],
        validation=model.quality["validation"][metric].value,
        agreement=None if faithful is None or faithful.agreement is None else faithful.agreement.value,
        kl=None if faithful is None or faithful.kl is None else faithful.kl.value, steps=model.steps or 0,
        kept_step=model.steps or 0, train_s=model.train_s or 0.0, predictions=None, history=None,
    )  # fmt: skip


def _teacher(model: ModelRecord, metric: str) -> TeacherRecord:
    return TeacherRecord(
        name=TEACHER, about=model.name, quality=model.quality["test"][metric], params=model.params, labelled=None,
        train_s=model.train_s, labelling_s=0.0, note="",
    )  # fmt: skip


def _compared(run: Record, arms: dict[str, ArmRecord], scores: dict[str, Array]) -> list[Comparison]:
    """Each arm against each that stands before it, the teacher first; Holm's correction against each of these."""
    order = sorted(arms, key=lambda name: not name.endswith(TEACHER))
    made: list[Comparison] = []
    for place, against in enumerate(order):
        family = {}
        for arm in order[place + 1 :]:
            alone = against.endswith(TEACHER)
            theirs = np.repeat(scores[against], len(scores[arm]), axis=0) if alone else scores[against]
            if scores[arm].shape == theirs.shape:
                family[arm] = _contrast(run, arm, against, scores[arm], theirs)
        made += read_together([(arm, against) for arm in family], list(family.values()))
    return made


def _contrast(run: Record, arm: str, against: str, ours: Array, theirs: Array) -> Contrast:
    return contrast(
        ours, theirs, higher_is_better=run.metric.higher_is_better, metric=run.metric.name,
        margin=MARGIN if run.verdict is None else run.verdict.margin, percent=run.metric.percent, arm=f"the {arm}",
        against=f"the {against}",
    )  # fmt: skip
