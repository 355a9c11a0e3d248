"""The schema of `study.json`: everything a study measured. Units stand in the names; what does not apply is null."""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from limbeck.core.storage import write_json
from limbeck.core.versioned import read_versioned
from limbeck.errors import BundleError
from limbeck.record import STUDY, DataRecord, Estimate, FileRef, Machine, MetricRecord, Outcome, Trial

SCHEMA_VERSION: Final = 1
FILE_NAME: Final = STUDY


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OnErrors(_Frozen):
    """What a student does where its teacher errs on test, and what it does on the other examples.

    The two share no example, so that no number of the one follows from a number of the other.
    """

    errors: int = Field(description="labelled test examples that the teacher gets wrong")
    repeated: float = Field(description="share of them on which the student gives the same wrong answer, 0..1")
    right: float = Field(description="share of them that the student gets right, 0..1")
    right_elsewhere: float = Field(
        description="share of the other labelled examples that the student gets right, 0..1; there, to agree with the "
        "teacher is to be right"
    )


class SeedRecord(_Frozen):
    """One model of an arm."""

    seed: int
    quality: Estimate = Field(description="the primary metric on test; the interval is over examples")
    validation: float = Field(description="the primary metric on validation, of the same weights")
    agreement: float | None = Field(description="share of test examples with the teacher's top label, 0..1")
    kl: float | None = Field(description="KL(teacher || student) at T=1 on test, nats")
    tutor: str | None = Field(
        default=None,
        description="the teacher that agreement and kl are with, or the arm, whose model of the same place it is",
    )
    on_errors: OnErrors | None = Field(
        default=None, description="null: nobody was asked, who makes no errors, or whose answers are not right or wrong"
    )
    steps: int = Field(description="optimiser steps done")
    kept_step: int = Field(description="the step whose weights these are")
    train_s: float
    predictions: FileRef | None = Field(
        description="npz: logits (n, classes) float32 on test, rows as in files.test; null: the record travels alone"
    )
    history: FileRef | None = Field(
        description="JSON: rows of {step, epoch, values: {name: number}}; null: the record travels alone"
    )


class ArmRecord(_Frozen):
    """One arm of a study, with all its seeds."""

    name: str
    about: str = Field(description="what it is, as sentences call it")
    line: str = Field(description="which line of the plot it belongs to")
    at: float | None = Field(description="where on the plot's horizontal axis it stands")
    tutor: str | None = Field(description="the teacher it listens to, or the arm: each seed to that of its place")
    objective: str = Field(description="what was minimised, after tuning")
    settings: dict[str, float | int | str | bool | None] = Field(description="what validation chose")
    trials: list[Trial]
    quality: Estimate = Field(description="mean over seeds on test; the interval covers seeds and examples")
    steps: int = Field(description="optimiser steps of a full run")
    step_ms: float = Field(description="time of a step, looks at validation included, of the fastest seed")
    labelled: int = Field(description="labels it could see")
    examples: int = Field(description="examples it learned from")
    curve: list[tuple[int, float]] = Field(description="step, the primary metric on validation; mean over seeds")
    seeds: list[SeedRecord]


class TeacherRecord(_Frozen):
    """A teacher of the study."""

    name: str
    about: str
    quality: Estimate | None = Field(description="the primary metric on test; null: it exists only as its guide")
    params: int | None
    labelled: int | None = Field(description="labels it was trained on; null: it was not trained here")
    train_s: float | None
    labelling_s: float = Field(description="time spent writing its guide; 0 where it was asked live")
    note: str = Field(description="how students heard it")
    predictions: FileRef | None = Field(
        default=None, description="npz: logits (n, classes) float32 on test, rows as in files.test; null: as quality"
    )


class Comparison(_Frozen):
    """One arm against another: the difference is `arm - against`, in the metric's own unit (0..1 for accuracy)."""

    arm: str
    against: str
    outcome: Outcome
    difference: float
    ci95: tuple[float, float] | None
    p_value: float | None
    p_value_holm: float | None = Field(description="after Holm's correction over the comparisons it is read with")
    seeds: int
    seeds_needed: int | None
    sentence: str


class Finding(_Frozen):
    """One number that a study was made for."""

    name: str
    value: float | None = Field(description="null: not reached, or not defined")
    ci95: tuple[float, float] | None = None
    bounds: tuple[float | None, float | None] | None = Field(
        default=None, description="the interval of a place among points (steps, shares), whose ends may be open: null"
    )
    p_value_holm: float | None = Field(
        default=None,
        description="that it is 0, after Holm's correction over the findings of its kind; null: not tested",
    )
    unit: str
    sentence: str


class StudyRecord(_Frozen):
    """Everything measured in a study."""

    schema_version: Literal[1] = SCHEMA_VERSION
    limbeck_version: str
    created: str = Field(description="ISO 8601, UTC")
    kind: str
    name: str
    question: str
    answer: list[str] = Field(description="what was found, in plain words")
    machine: Machine
    fingerprints: dict[str, str] = Field(description="SHA-256 of the data and of the resolved recipe")
    task: str
    classes: list[str]
    metric: MetricRecord
    margin: float = Field(description="differences within this do not matter; stated beforehand")
    data: DataRecord
    teachers: list[TeacherRecord]
    arms: list[ArmRecord]
    comparisons: list[Comparison]
    findings: list[Finding]
    notes: list[str]
    timing_s: dict[str, float]
    files: dict[str, FileRef] = Field(description="test: npz ids, target")

    def arm(self, name: str) -> ArmRecord:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)


def write(study: StudyRecord, folder: Path) -> Path:
    """Writes `study.json` into the study's folder."""
    path = folder / FILE_NAME
    write_json(path, study.model_dump(mode="json"))
    return path


def read(folder: Path) -> StudyRecord:
    """Reads the record of a finished study.

    Raises:
        BundleError: there is none, or it is of another schema.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise BundleError(f"{folder} holds no {FILE_NAME}: is it the folder of a finished study?")
    older = "read it with the Limbeck that wrote it"
    return read_versioned(path, StudyRecord, version=SCHEMA_VERSION, noun="a study", older=older)
