"""What every section of a recipe is made of: frozen, strict, typed; and the ranges that values have."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Size = Annotated[tuple[Count, Count], Field(strict=False)]
Names = Annotated[tuple[str, ...], Field(strict=False, min_length=2)]
Numbers = Annotated[tuple[float, ...], Field(strict=False)]
Place = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """Keys that are all known."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Open(BaseModel):
    """A name, with the settings of what it names beside it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", use_attribute_docstrings=True)

    @property
    def settings(self) -> dict[str, Any]:
        """The chosen thing's own settings, complete: what its constructor takes."""
        return dict(self.model_extra or {})
