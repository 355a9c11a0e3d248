"""The schema of `record.json`: everything measured in a run. Units stand in the names; what does not apply is null.

The report is drawn from the record and the files it names, and from nothing else. `Record.model_json_schema()` is
the published schema.
"""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from limbeck.core.storage import read_json, write_json
from limbeck.core.versioned import read_versioned
from limbeck.errors import BundleError

SCHEMA_VERSION: Final = 1

LINEAGE: Final = "lineage.json"
"""What the folder of a chain of runs holds; each link is a run in a folder below."""
STUDY: Final = "study.json"
"""What the folder of a finished study holds."""
MARK: Final = "run.json"
"""What the folder of a run, lineage or study holds from its first moment on."""

Role = Literal["teacher", "student", "baseline", "teacher-labels"]
"""teacher; student = taught by soft targets; baseline = no teacher; teacher-labels = the teacher's hard labels."""

Outcome = Literal[
    "beats", "beats-by-less-than-matters", "no-gain", "worse", "worse-by-less-than-matters", "inconclusive"
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRef(_Frozen):
    """A file beside the record."""

    path: str = Field(description="relative to the record's folder")
    sha256: str


class MetricRecord(_Frozen):
    """The task's primary metric."""

    name: str
    higher_is_better: bool
    percent: bool


class Estimate(_Frozen):
    """A mean over examples with its 95% interval."""

    value: float
    ci95: tuple[float, float] | None = None


class Fidelity(_Frozen):
    """How far the student gives the teacher's answers."""

    agreement: Estimate | None = Field(default=None, description="share of examples with the same top label, 0..1")
    kl: Estimate | None = Field(default=None, description="KL(teacher || student) at T=1, nats")
    agreement_ceiling: float | None = Field(
        default=None, description="agreement between two seeds of this student, 0..1"
    )
    agreement_on_teacher_errors: float | None = Field(
        default=None, description="share of the teacher's errors repeated, 0..1"
    )


class Bin(_Frozen):
    """One equal-mass bin of the reliability diagram."""

    confidence: float = Field(description="mean top-label probability")
    accuracy: float
    count: int


class Calibration(_Frozen):
    """Whether the stated confidence can be believed, on the test split."""

    ece: Estimate = Field(description="top label, 15 equal-mass bins, 0..1")
    bins: list[Bin]


class Latency(_Frozen):
    """Time of one call, after warm-up."""

    runtime: str = Field(description="'torch', 'onnxruntime'")
    threads: int
    batch: int
    repeats: int
    p50: float
    p90: float
    p99: float
    max: float


class ModelRecord(_Frozen):
    """One model, measured."""

    role: Role
    name: str
    seed: int | None
    settings: dict[str, float | int | str | bool | None] = Field(description="what tuning chose for it")
    steps: int | None = Field(description="optimiser steps")
    quality: dict[str, dict[str, Estimate]] = Field(description="split -> metric -> estimate; metrics per example")
    fidelity: Fidelity | None
    calibration: Calibration | None
    params: int
    macs: int | None = Field(description="multiply-accumulates of one example")
    size_bytes: int = Field(description="weights as they are stored")
    peak_memory_bytes: int | None = Field(description="peak of live activations, batch 1, float32")
    latency_ms: list[Latency]
    train_s: float | None
    predictions: FileRef | None = Field(description="npz: logits (n, classes) float32 on test, rows as in files.test")
    history: FileRef | None = Field(description="JSON: rows of {step, epoch, values: {name: number}}")


class Verdict(_Frozen):
    """One arm against another: the difference is `arm - against`, in the metric's own unit (0..1 for accuracy)."""

    arm: Role
    against: Role
    outcome: Outcome
    metric: str
    margin: float = Field(description="differences within this do not matter; stated beforehand")
    difference: float
    ci95: tuple[float, float] | None
    p_value: float | None
    p_value_holm: float | None = Field(default=None, description="after Holm's correction over the run's comparisons")
    seeds: int
    seeds_needed: int | None = Field(default=None, description="how many seeds would settle an inconclusive one")
    sentence: str = Field(description="the verdict in plain words")


class Trial(_Frozen):
    """One candidate of a tuning stage, as validation saw it."""

    settings: dict[str, float | int | str | bool | None]
    steps: int
    value: float = Field(description="the primary metric on validation")
    final: bool = Field(description="whether it ran at full length")


class Tuning(_Frozen):
    """What validation chose for an arm."""

    role: Role
    trials: list[Trial]
    chosen: dict[str, float | int | str | bool | None]
    sentence: str


class Parity(_Frozen):
    """An exported file against the eager student, on validation examples."""

    examples: int
    max_abs_error: float = Field(description="largest difference of a logit")
    agreement: float = Field(description="share of the same top label, 0..1")
    quality: float | None = Field(description="the primary metric of the export on labelled validation examples")


class Export(_Frozen):
    """One exported file."""

    format: str
    path: str
    size_bytes: int
    parity: Parity
    latency_ms: list[Latency]


class DataRecord(_Frozen):
    """What the run was fed."""

    name: str
    input: str = Field(description="e.g. 'uint8 image, 1 x 8 x 8'")
    labelled: int = Field(description="training examples with a label the student could see")
    unlabelled: int = Field(description="training examples without one; only a teacher can use them")
    validation: int
    test: int


class Machine(_Frozen):
    """Where it was measured."""

    cpu: str
    cores: int
    gpu: str | None
    os: str
    python: str
    torch: str | None


class Fingerprints(_Frozen):
    """SHA-256 of what went in."""

    data: str
    teacher: str
    recipe: str


class Record(_Frozen):
    """Everything measured in a run."""

    schema_version: Literal[1] = SCHEMA_VERSION
    limbeck_version: str
    created: str = Field(description="ISO 8601, UTC")
    name: str
    machine: Machine
    fingerprints: Fingerprints
    task: str
    classes: list[str]
    metric: MetricRecord
    data: DataRecord
    objective: str = Field(description="the objective in words, after tuning")
    beside: str | None = Field(
        default=None, description="without a teacher: who learns beside the student and teaches it; null: there is one"
    )
    models: list[ModelRecord]
    verdict: Verdict | None
    comparisons: list[Verdict] = Field(description="the arms that explain the verdict")
    tuning: list[Tuning]
    exports: list[Export]
    notes: list[str] = Field(description="what the reader should know: warnings, choices, limits")
    timing_s: dict[str, float]
    files: dict[str, FileRef] = Field(
        description="test: npz ids, target; samples: npz inputs (k, c, h, w) uint8, index (k,) rows of test"
    )


def write(record: Record, folder: Path) -> Path:
    """Writes `record.json` into the run's folder."""
    path = folder / "record.json"
    write_json(path, record.model_dump(mode="json"))
    return path


def read(folder: Path) -> Record:
    """Reads the record of a finished run.

    Raises:
        BundleError: there is none, or it is of another schema.
    """
    path = folder / "record.json"
    if not path.is_file():
        raise BundleError(f"{folder} holds no record.json: {another(folder) or 'is it the folder of a finished run?'}")
    older = "read it with the Limbeck that wrote it"
    return read_versioned(path, Record, version=SCHEMA_VERSION, noun="a record", older=older)


def another(folder: Path) -> str | None:
    """What a folder without a run's record is, and what to do; `None`: neither a lineage's nor an unfinished one.

    Args:
        folder: without a `record.json`.
    """
    begun = (folder / MARK).is_file() and not (folder / STUDY).is_file()
    unfinished = "it is unfinished; the command that began it goes on where it was, and writes the report at its end"
    return of_a_chain(folder) or (unfinished if begun else None)


def of_a_chain(folder: Path) -> str | None:
    """What to name instead of the folder of a lineage: the run of its best generation; `None` for other folders."""
    path = folder / LINEAGE
    if not path.is_file():
        return None
    found = read_json(path)
    best = folder / found["generations"][found["best"]]["folder"]
    return f"it holds a lineage, each generation a run of its own; give one, such as {best} (the best on validation)"
