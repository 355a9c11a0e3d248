"""`config.json`: what a finished student is, what it eats, and what it was worth when it was measured."""

import json
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from limbeck.core.identity import fingerprint
from limbeck.record import Fingerprints

CONFIG_KEY = "config.json"
"""Under this key `sha256` holds the fingerprint of the configuration itself, all its other fields."""


def _as_json(value: Any) -> Any:  # noqa: ANN401 - whatever was given; the model's own check follows
    """Tuples become lists, as they would on disk, so that a written configuration equals the one read back."""
    return json.loads(json.dumps(value))


Settings = Annotated[dict[str, JsonValue], BeforeValidator(_as_json)]
"""Plain JSON by name."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class InputConfig(_Frozen):
    """One raw example, as `limbeck.data.source.InputSpec` describes it."""

    kind: Literal["image", "array"]
    shape: tuple[int, ...] = Field(description="of one example, without the batch axis; images are channels first")
    dtype: Literal["uint8", "float32"]
    columns: tuple[str, ...] | None = Field(default=None, description="names of a row's numbers, if known")

    @model_serializer(mode="wrap")
    def _without_unknown_names(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Names that nobody knows are left out: students without them read, and are sealed, as they always were."""
        values: dict[str, Any] = dump(self)
        return values if self.columns is not None else {k: v for k, v in values.items() if k != "columns"}


class Quality(_Frozen):
    """The primary metric, measured once on the finished student."""

    metric: str
    value: float
    ci95: tuple[float, float] | None
    split: str


class BundleConfig(_Frozen):
    """Everything a reader must know to use the weights; enough to use `model.onnx` without any source.

    Example:
        >>> config = BundleConfig(
        ...     limbeck_version="0.1.0",
        ...     name="digits",
        ...     task="multiclass",
        ...     classes=("zero", "one"),
        ...     input=InputConfig(kind="image", shape=(1, 8, 8), dtype="uint8"),
        ...     preprocess={"scale": 1.0, "mean": (), "std": (), "size": None, "channels": None},
        ...     student={"family": "convnet", "width": 8},
        ...     quality=None,
        ...     params=850,
        ...     fingerprints=Fingerprints(data="d", teacher="t", recipe="r"),
        ... )
        >>> config.sealed({"model.onnx": "abc"}).intact
        True
    """

    schema_version: Literal[1] = 1
    limbeck_version: str
    name: str
    task: str
    classes: tuple[str, ...] = Field(description="class names in the order of the logits")
    input: InputConfig
    preprocess: Settings = Field(description="`PreprocessSpec.as_dict()`: from the raw example to what the core eats")
    student: Settings = Field(description="{family, knobs ...} or {module: where the user's own came from}")
    quality: Quality | None
    params: int = Field(description="trained parameters of the core")
    fingerprints: Fingerprints
    sha256: dict[str, str] = Field(default_factory=dict, description="of each file that decides answers, by name")

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if not classes or len(set(classes)) != len(classes):
            raise ValueError("class names must be given, each once")
        return classes

    def sealed(self, files: dict[str, str]) -> "BundleConfig":
        """The same configuration with the checksums of its files and its own."""
        sealed = self.model_copy(update={"sha256": files})
        return sealed.model_copy(update={"sha256": {**files, CONFIG_KEY: sealed.seal()}})

    def seal(self) -> str:
        """Fingerprint of all fields, its own entry in `sha256` left out."""
        values = self.model_dump(mode="json")
        values["sha256"] = {name: value for name, value in self.sha256.items() if name != CONFIG_KEY}
        return fingerprint(values)

    @property
    def intact(self) -> bool:
        """Whether no field has changed since `sealed`."""
        return self.sha256.get(CONFIG_KEY) == self.seal()
