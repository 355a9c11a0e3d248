"""`SignalSpec`: what a guide keeps of what the teacher says, and how many bytes that takes."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from math import isfinite, prod
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, TypeAdapter

from limbeck.errors import InputError

MOST_CLASSES = 2**31
"""Class indices are stored unsigned and read as signed 64-bit; beyond this nothing has been tested."""


@dataclass(frozen=True, slots=True)
class LogitsSpec:
    """All logits.

    Attributes:
        dtype: "float32" gives back every bit. "float16" stores `z - max` and the row's maximum in float32: the value
            and gradient of one step's soft-target loss stay within 1e-3 of the exact ones.
        kind: its name.
    """

    dtype: Literal["float32", "float16"] = "float32"
    _: KW_ONLY
    kind: Literal["logits"] = "logits"


@dataclass(frozen=True, slots=True)
class TopKSpec:
    """The `k` largest logits, and the mass of the others at declared temperatures.

    Attributes:
        k: classes a row, at least 1 and at most as many as there are.
        temperatures: at which the tail is known; each above 0.
        kind: its name.

    Raises:
        InputError: out of range.
    """

    k: int
    temperatures: tuple[float, ...] = (1.0,)
    _: KW_ONLY
    kind: Literal["top-k"] = "top-k"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InputError(f"signals: k: expected at least 1 class a row, got {self.k}")
        if not self.temperatures or not all(isfinite(t) and t > 0 for t in self.temperatures):
            raise InputError(f"signals: temperatures: expected one or more numbers above 0, got {self.temperatures}")
        if len(set(self.temperatures)) != len(self.temperatures):
            raise InputError(f"signals: temperatures: {self.temperatures} names one twice")


@dataclass(frozen=True, slots=True)
class SampledSpec:
    """Classes drawn from `softmax(z / T)` with replacement (random sampling KD, arXiv 2503.16870).

    Attributes:
        draws: classes a row, at least 1.
        temperature: T > 0; only this one can be taught from.
        seed: a draw follows from (seed, example id, view number) and from nothing else.
        kind: its name.

    Raises:
        InputError: out of range.
    """

    draws: int
    temperature: float = 1.0
    seed: int = 0
    _: KW_ONLY
    kind: Literal["sampled"] = "sampled"

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise InputError(f"signals: draws: expected at least 1 a row, got {self.draws}")
        if not (isfinite(self.temperature) and self.temperature > 0):
            raise InputError(f"signals: temperature: expected a number above 0, got {self.temperature}")


OutputSpec = LogitsSpec | TopKSpec | SampledSpec

OUTPUTS: Mapping[str, str] = {
    "logits": "limbeck.guide.spec:LogitsSpec",
    "top-k": "limbeck.guide.spec:TopKSpec",
    "sampled": "limbeck.guide.spec:SampledSpec",
}
"""Names in recipes; the settings are the constructors' arguments."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Activations at a tap.

    Attributes:
        dtype: "float16", or "int8" with a scale a row: `x = scale * q`, `scale = max |x| / 127`.
        shape: of one row, without the batch axis; `None` until the teacher has been asked once.
    """

    dtype: Literal["float16", "int8"] = "float16"
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """What is kept of one view of an example.

    Attributes:
        output: of the model's last layer; `None` keeps none.
        features: by tap path.

    Raises:
        InputError: nothing would be kept.

    Example:
        >>> bytes_per_example(SignalSpec(TopKSpec(k=32)), 1000)
        136
    """

    output: Annotated[OutputSpec | None, Field(discriminator="kind")] = LogitsSpec()
    features: Mapping[str, FeatureSpec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.output is None and not self.features:
            raise InputError("signals: neither an output nor features: there is nothing to write down")

    def as_dict(self) -> dict[str, Any]:
        """A JSON value."""
        value: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return value

    @classmethod
    def from_dict(cls, value: Any) -> "SignalSpec":  # noqa: ANN401 - a JSON value from outside
        """The inverse of `as_dict`, also after a trip through JSON."""
        return _ADAPTER.validate_python(value)

    def __str__(self) -> str:
        match self.output:
            case LogitsSpec(dtype):
                output = [f"logits ({dtype})"]
            case TopKSpec(k, temperatures):
                output = [f"top-{k} logits (tail at T = {', '.join(f'{t:g}' for t in temperatures)})"]
            case SampledSpec(draws, temperature):
                output = [f"{draws} classes drawn at T = {temperature:g}"]
            case None:
                output = []
        taps = [f"{path} ({feature.dtype})" for path, feature in self.features.items()]
        return " + ".join(output + taps)


_ADAPTER = TypeAdapter(SignalSpec)


@dataclass(frozen=True, slots=True)
class Column:
    """One array of a shard.

    Attributes:
        name: within the shard.
        dtype: NumPy's name.
        shape: of one row.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


def index_dtype(classes: int) -> str:
    """The smallest unsigned type that holds every index of so many classes.

    Raises:
        InputError: there is none that Limbeck reads.

    Example:
        >>> index_dtype(256), index_dtype(257), index_dtype(150_000)
        ('uint8', 'uint16', 'uint32')
    """
    if not 1 <= classes <= MOST_CLASSES:
        raise InputError(f"signals: {classes} classes, expected 1 to 2^31: their indices would overflow")
    return "uint8" if classes <= 2**8 else "uint16" if classes <= 2**16 else "uint32"


def columns(spec: SignalSpec, classes: int | None) -> tuple[Column, ...]:
    """The arrays of a shard, in the order in which they are written.

    Args:
        spec: with the shapes of all features.
        classes: width of the teacher's output; may be `None` where none is kept.

    Raises:
        InputError: `k` is above the number of classes, or there are too many to index.
    """
    found = [] if spec.output is None else _output_columns(spec.output, classes or 0)
    for path, feature in spec.features.items():
        assert feature.shape is not None, "features have a shape once the teacher has been asked"
        found.append(Column(f"feature/{path}", feature.dtype, feature.shape))
        if feature.dtype == "int8":
            found.append(Column(f"scale/{path}", "float32", ()))
    return tuple(found)


def _output_columns(output: OutputSpec, classes: int) -> list[Column]:
    index = index_dtype(classes)
    match output:
        case LogitsSpec("float32"):
            return [Column("logits", "float32", (classes,))]
        case LogitsSpec():
            return [Column("offsets", "float16", (classes,)), Column("max", "float32", ())]
        case TopKSpec(k, temperatures):
            if k > classes:
                raise InputError(f"signals: k: {k} of {classes} classes; give at most {classes}, or keep all logits")
            tail = Column("tail", "float32", (len(temperatures),))
            return [
                Column("index", index, (k,)),
                Column("offsets", "float16", (k,)),
                Column("max", "float32", ()),
                tail,
            ]
        case SampledSpec(draws):
            return [Column("index", index, (draws,)), Column("entropy", "float32", ())]


def bytes_per_example(spec: SignalSpec, classes: int | None, views: int = 1) -> int:
    """Bytes that a guide takes on disk for `views` views of an example, its index entry (8 bytes) left out.

    Example:
        >>> bytes_per_example(SignalSpec(), 10, views=4)
        160
    """
    return views * sum(column.row_bytes for column in columns(spec, classes))
