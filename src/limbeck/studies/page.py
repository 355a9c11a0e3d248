"""`study.html`: the page of a finished study, drawn from `study.json` and nothing else."""

from pathlib import Path
from typing import Any

from limbeck.core.storage import write_text
from limbeck.reporting import numbers
from limbeck.studies import record as records
from limbeck.studies.kinds import named
from limbeck.studies.record import StudyRecord
from limbeck.studies.sheet import sheet
from limbeck.studies.words import in_words

FILE_NAME = "study.html"


def render(study: StudyRecord) -> str:
    """The page of a study, as one HTML page that needs no network.

    Args:
        study: its record.
    """
    view = named(study.kind).view(study)
    metric = study.metric.name.capitalize()
    values: dict[str, Any] = {
        "told": study,
        "teachers": [_teacher(study, place) for place in range(len(study.teachers))],
        "teacher_head": [
            "Teacher", f"{metric} on test", "Parameters", "Labels", "Training", "Labelling", "How it was heard",
        ],
        "trials": _trials(study),
        "trial_head": ["Arm", "Settings", "Steps", f"{metric} on validation", ""],
        "timing": [(name, numbers.duration_s(seconds)) for name, seconds in study.timing_s.items()],
        "machine": _machine(study),
    }  # fmt: skip
    return sheet("study.html", view, values, created=study.created)


def write(folder: Path) -> Path:
    """Renders the page into the study's folder, whole or not at all.

    Raises:
        BundleError: `folder` holds no readable record.
        StorageError: the disk is full or the folder cannot be written.
    """
    path = folder / FILE_NAME
    write_text(path, render(records.read(folder)))
    return path


def _teacher(study: StudyRecord, place: int) -> list[str]:
    each = study.teachers[place]
    quality = numbers.ABSENT if each.quality is None else numbers.score(each.quality.value, study.metric)
    return [
        each.about,
        quality,
        numbers.ABSENT if each.params is None else f"{each.params:,}",
        numbers.ABSENT if each.labelled is None else f"{each.labelled:,}",
        numbers.ABSENT if each.train_s is None else numbers.duration_s(each.train_s),
        numbers.duration_s(each.labelling_s) if each.labelling_s else numbers.ABSENT,
        each.note,
    ]


def _trials(study: StudyRecord) -> list[list[str]]:
    """What validation looked at, arm by arm."""
    return [
        [
            arm.name,
            in_words(trial.settings),
            f"{trial.steps:,}",
            numbers.score(trial.value, study.metric),
            "chosen" if trial.final and trial.settings == arm.settings else "",
        ]
        for arm in study.arms
        for trial in arm.trials
    ]


def _machine(study: StudyRecord) -> list[tuple[str, str]]:
    machine = study.machine
    return [
        ("Processor", f"{machine.cpu}, {machine.cores} cores"),
        ("Graphics", machine.gpu or "none"),
        ("System", machine.os),
        ("Python, torch", f"{machine.python}, {machine.torch or 'none'}"),
        ("Limbeck", study.limbeck_version),
        *((f"SHA-256 of the {name}", value[:16]) for name, value in study.fingerprints.items()),
    ]
