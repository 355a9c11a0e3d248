"""`manifest.json`: what a guide holds, what it was made from, and a checksum a file. Nothing in it depends on when."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from limbeck.core.identity import fingerprint
from limbeck.errors import GuideError
from limbeck.guide.spec import Column, SignalSpec, columns

SCHEMA_VERSION: Literal[1] = 1
MANIFEST = "manifest.json"
PLAN = "plan.json"
INDEX: Literal["index.npy"] = "index.npy"
SHARDS = "shards"

_SHA256 = r"^[0-9a-f]{64}$"

T = TypeVar("T", bound=BaseModel)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TeacherFacts(_Frozen):
    """Who speaks."""

    fingerprint: str = Field(description="SHA-256 over weights, preprocessing, class mapping and chunk size")
    mode: Literal["eval", "imported"] = Field(default="eval", description="imported: labels that somebody else made")
    preprocess: dict[str, Any] | None = Field(default=None, description="the teacher's own, from raw views")
    chunk: int = Field(default=1, ge=1, description="rows a forward pass")
    classes: tuple[str, ...] | None = Field(default=None, description="in the order of the logits; null: not classes")
    licence: str | None = Field(default=None, description="of the teacher: what its outputs may be used for")
    origin: str | None = Field(default=None, description="where the teacher, or its labels, came from")


class DataFacts(_Frozen):
    """What was spoken about."""

    fingerprint: str = Field(description="SHA-256 over contents and ids, whatever their order and hidden labels")
    examples: int = Field(ge=1)


class ViewFacts(_Frozen):
    """Which views of it."""

    fingerprint: str = Field(description="SHA-256 over ops, settings, seed and path; the count stands apart")
    seed: int
    count: int = Field(ge=1, description="view numbers 0 to count - 1")
    path: Literal["batched", "per-example", "raw"]


class Plan(_Frozen):
    """Everything that the bytes of a guide depend on."""

    schema_version: Literal[1] = SCHEMA_VERSION
    teacher: TeacherFacts
    data: DataFacts
    views: ViewFacts
    signals: SignalSpec
    outputs: int | None = Field(description="width of the teacher's output; null where none is kept")
    rows_per_shard: int = Field(ge=1)

    @property
    def rows(self) -> int:
        """One a view of an example."""
        return self.data.examples * self.views.count

    @property
    def shards(self) -> int:
        """How many files."""
        return -(-self.rows // self.rows_per_shard)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The arrays of each file."""
        return columns(self.signals, self.outputs)

    @property
    def row_bytes(self) -> int:
        """Bytes of one view of one example."""
        return sum(column.row_bytes for column in self.columns)

    def rows_of(self, number: int) -> range:
        """The rows of a shard."""
        start = number * self.rows_per_shard
        return range(start, min(start + self.rows_per_shard, self.rows))

    def fingerprint(self) -> str:
        """SHA-256 over all of it."""
        return fingerprint(self.model_dump(mode="json"))


class Shard(_Frozen):
    """One file of rows."""

    file: str
    first_row: int = Field(ge=0)
    rows: int = Field(ge=1)
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern=_SHA256)


class IndexFile(_Frozen):
    """The sorted ids: row `v * examples + rank` is view `v` of the example of that rank."""

    file: Literal["index.npy"] = INDEX
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern=_SHA256)


class Manifest(_Frozen):
    """A finished guide."""

    schema_version: Literal[1] = SCHEMA_VERSION
    plan: Plan
    index: IndexFile
    shards: tuple[Shard, ...]
    sha256: str = Field(pattern=_SHA256, description="of the rest of the manifest in canonical form")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        """Files have their own names (nothing outside the folder is ever opened) and the plan's rows."""
        wanted = [(shard_name(n), self.plan.rows_of(n)) for n in range(self.plan.shards)]
        found = [(shard.file, range(shard.first_row, shard.first_row + shard.rows)) for shard in self.shards]
        if found != wanted:
            raise ValueError("the shards are not those of the plan")
        if self.sha256 != _own(self.plan, self.index, self.shards):
            raise ValueError("it was changed since it was written")
        return self

    @property
    def bytes(self) -> int:
        """Of all files that hold rows or ids."""
        return self.index.bytes + sum(shard.bytes for shard in self.shards)


def sealed(plan: Plan, index: IndexFile, shards: tuple[Shard, ...]) -> Manifest:
    """The manifest of these files, with its own checksum."""
    return Manifest(plan=plan, index=index, shards=shards, sha256=_own(plan, index, shards))


def _own(plan: Plan, index: IndexFile, shards: tuple[Shard, ...]) -> str:
    parts = [plan.model_dump(mode="json"), index.model_dump(mode="json"), [s.model_dump(mode="json") for s in shards]]
    return fingerprint([SCHEMA_VERSION, *parts])


def shard_name(number: int) -> str:
    """Relative path of a shard.

    Example:
        >>> shard_name(3)
        'shards/00003.safetensors'
    """
    return f"{SHARDS}/{number:05d}.safetensors"


def parse_manifest(text: bytes, where: str) -> Manifest:
    """A manifest from its bytes.

    Raises:
        GuideError: it is damaged, or of another schema; says where.
    """
    return _parse(Manifest, text, f"{where}: {MANIFEST}")


def read_plan(folder: Path) -> Plan | None:
    """The plan of a folder in which a guide is being written, or was.

    Raises:
        GuideError: it is damaged, or of another schema.
    """
    path = folder / PLAN
    if not path.is_file():
        return None
    return _parse(Plan, path.read_bytes(), str(path), "remove it: the guide's own shards are known without it")


def _parse(model: type[T], text: bytes, where: str, mend: str = "restore it, or write the guide again") -> T:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise GuideError(
            f"{where} cannot be read as a guide of schema {SCHEMA_VERSION}: {field + ': ' if field else ''}"
            f"{first['msg']}; {mend}"
        ) from error


def as_json(model: Plan | Manifest) -> Mapping[str, Any]:
    """The JSON value that is written."""
    return model.model_dump(mode="json")
