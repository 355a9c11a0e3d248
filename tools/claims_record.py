"""A study's record without what only its folder can hold: what docs/claims/*.json keep."""

import json
import re
from pathlib import Path
from typing import Any

from limbeck.studies import record as records
from limbeck.studies.record import ArmRecord, StudyRecord

CURVED = ("temperature",)
"""Kinds whose plots show curves."""
DIGITS = 6
PATH = re.compile(r"(?<![\w.])(?:\.{0,2}/)?(?:[\w.+~-]+/)+([\w.+-]+)")
SYSTEM = re.compile(r"^([A-Za-z]+)-(\d+\.\d+).*")


def kept_of(folder: Path) -> StudyRecord:
    """The record of a study's folder, as it is kept."""
    return kept(records.read(folder))


def kept(study: StudyRecord) -> StudyRecord:
    """The projection: a valid record whose files are null, without trials, unshown curves, paths and names of machines.

    Applied twice it changes nothing.
    """
    machine = study.machine.model_copy(update={"os": SYSTEM.sub(r"\1 \2", study.machine.os)})
    teachers = [
        each.model_copy(update={"predictions": None, "note": bare(each.note), "about": bare(each.about)})
        for each in study.teachers
    ]
    changed = study.model_copy(
        update={
            "machine": machine, "teachers": teachers, "arms": [_arm(arm, study.kind) for arm in study.arms],
            "notes": [bare(note) for note in study.notes], "files": {},
            "data": study.data.model_copy(update={"name": bare(study.data.name)}),
        }
    )  # fmt: skip
    return StudyRecord.model_validate(rounded(changed.model_dump(mode="json")))


def bare(text: str) -> str:
    """Paths by their last part only.

    >>> bare("that in /home/me/studies/fashion-methods; 20/30 of it")
    'that in fashion-methods; 20/30 of it'
    """
    return PATH.sub(lambda found: found[0] if re.fullmatch(r"[\d./]+", found[0]) else found[1], text)


def _arm(arm: ArmRecord, kind: str) -> ArmRecord:
    seeds = [seed.model_copy(update={"predictions": None, "history": None}) for seed in arm.seeds]
    return arm.model_copy(update={"seeds": seeds, "trials": [], "curve": arm.curve if kind in CURVED else []})


def rounded(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Numbers to six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def text(study: StudyRecord) -> str:
    """JSON with a line an arm, comparison, finding, ..., so that changes can be read."""
    lines = []
    for key, value in study.model_dump(mode="json").items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n".join(f"  {_json(each)}" for each in value)
            lines.append(f" {_json(key)}: [\n{inner}\n ]")
        else:
            lines.append(f" {_json(key)}: {_json(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, ensure_ascii=False)


def write(study: StudyRecord, path: Path) -> None:
    """Writes a kept record."""
    path.write_text(text(study), encoding="utf-8")


def read(path: Path) -> StudyRecord:
    """Reads a kept record."""
    return StudyRecord.model_validate_json(path.read_text(encoding="utf-8"))


def read_all(folder: Path) -> dict[str, StudyRecord]:
    """All kept records by name."""
    return {path.stem: read(path) for path in sorted(folder.glob("*.json"))}
