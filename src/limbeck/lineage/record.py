"""The schema of `lineage.json`: what a chain of runs came to. The page is drawn from it and from nothing else."""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from limbeck.core.storage import write_json
from limbeck.core.versioned import read_versioned
from limbeck.errors import BundleError
from limbeck.record import LINEAGE, DataRecord, Estimate, MetricRecord
from limbeck.studies.record import Comparison

SCHEMA_VERSION: Final = 2

FIRST_TEACHER: Final = "the first teacher"
TOGETHER: Final = "all together"

_OLDER: Final = (
    "a link's teacher is named otherwise since, so the chain has to be begun anew from its second link on; run limbeck "
    "distil with another --out (each link's report.html here stays as it is)"
)
_BROKEN: Final = "limbeck distil writes it again and trains nothing that is done"

Kind = Literal["generations", "assistants"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FirstTeacher(_Frozen):
    """Who taught the first link."""

    about: str = Field(description="what it is: family and settings, or where it comes from")
    params: int
    validation: Estimate | None = Field(description="the primary metric; the interval is over examples")
    test: Estimate | None = Field(description="likewise")


class Generation(_Frozen):
    """One link of the chain."""

    folder: str = Field(pattern=r"^[0-9]+$", description="of the run, relative to the lineage's")
    name: str = Field(description="as sentences call it")
    student: str = Field(description="family and settings")
    taught_by: str
    params: int
    seeds: int = Field(description="students of this link")
    validation: Estimate = Field(description="the primary metric, mean over seeds; the interval covers examples too")
    test: Estimate = Field(description="likewise; reported, and nothing hangs on it")
    teacher_test: float | None = Field(description="the primary metric of this link's own teacher")
    against_baseline: str | None = Field(description="in words: this link against the same student untaught")


class Together(_Frozen):
    """The students of all links asked as one, by the mean of their probabilities."""

    of: list[str] = Field(description="folders of the links")
    test: Estimate = Field(
        description="the primary metric; one ensemble a seed, of the students of that place in each link; their mean"
    )
    shipped_test: float = Field(description="likewise, of the shipped students alone, the first of each link")
    best_single: str = Field(description="name of the link that is best on validation, which it is compared with")


class Lineage(_Frozen):
    """A finished chain."""

    schema_version: Literal[2] = SCHEMA_VERSION
    limbeck_version: str
    created: str = Field(description="ISO 8601, UTC: when the last link was done")
    name: str
    kind: Kind = Field(description="generations = one student again and again; assistants = several on the way to one")
    metric: MetricRecord
    margin: float = Field(description="differences within this do not matter; stated beforehand")
    data: DataRecord
    answer: list[str] = Field(description="what the chain came to, in plain words")
    first_teacher: FirstTeacher | None = Field(description="null: it was not measured")
    generations: list[Generation] = Field(min_length=1)
    best: int = Field(
        ge=0,
        description="place in `generations` of the result; 0-based. The best on validation; of assistants the last",
    )
    stopped: str | None = Field(description="why the chain ended early")
    together: Together | None = Field(description="null: one link alone, or a task without probabilities")
    comparisons: list[Comparison] = Field(
        description="on test: each link against the one before and against the first teacher, all together against the "
        "best single one; Holm's correction is over all of them"
    )
    notes: list[str] = Field(description="what the reader should know")

    @property
    def noun(self) -> str:
        """What a link is called."""
        return "generation" if self.kind == "generations" else "link"


def write(lineage: Lineage, folder: Path) -> Path:
    """Writes `lineage.json` into the chain's folder."""
    path = folder / LINEAGE
    write_json(path, lineage.model_dump(mode="json"))
    return path


def read(folder: Path) -> Lineage:
    """Reads the record of a finished chain.

    Raises:
        BundleError: there is none, or it is of another schema.
    """
    path = folder / LINEAGE
    if not path.is_file():
        raise BundleError(f"{folder} holds no {LINEAGE}: is it the folder of a finished lineage?")
    return read_versioned(path, Lineage, version=SCHEMA_VERSION, noun="a lineage", older=_OLDER, broken=_BROKEN)
