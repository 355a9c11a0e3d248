"""`Table`: columns of numbers, text and pictures that are read batch after batch, wherever they come from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from limbeck.core.optional import require
from limbeck.errors import DataError

Kind = Literal["number", "text", "picture", "array", "other"]
"""What stands in a column: numbers, text, encoded pictures, arrays of numbers, or what is no input (dates, ...)."""

ROWS = 8192
PICTURES = 128
"""Rows of a batch, where they are small and where they hold pictures."""
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be read from its beginning as often as one likes.

    Attributes:
        what: the file or data set, for messages.
        kinds: of its columns, in order.
        classes: class names of the columns that know theirs.
        base: the folder that paths of pictures are relative to.
        batches: columns and the kinds they are wanted as -> Arrow tables that hold them.
        stream: whether its rows have no numbers that another reading would find again.
    """

    what: str
    kinds: Mapping[str, Kind]
    classes: Mapping[str, tuple[str, ...]]
    base: Path | None
    batches: Callable[[Mapping[str, Kind]], Iterator[Any]]
    stream: bool = False

    def need(self, name: str, key: str) -> str:
        """The name, where there is such a column.

        Raises:
            DataError: there is none; the nearest is named.
        """
        if name in self.kinds:
            return name
        near = get_close_matches(name, self.kinds, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DataError(f"{self.what}: no column {name!r} (data.columns.{key}) among {listed(self.kinds)}{hint}")


def listed(names: Mapping[str, Any] | Sequence[str]) -> str:
    """Column names for a message, not too many."""
    shown = [repr(name) for name in names][:_SHOWN]
    return ", ".join(shown) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def arrow() -> ModuleType:
    """The library that reads tables.

    Raises:
        MissingDependencyError: it is not installed.
    """
    return require("pyarrow", extra="data", purpose="reading tables")


def kind_of(kind: Any) -> Kind:  # noqa: ANN401 - an Arrow type
    """What an Arrow type is to us."""
    types = require("pyarrow.types", extra="data", purpose="reading tables")
    found: Kind = "other"
    if isinstance(kind, arrow().BaseExtensionType):
        found = kind_of(kind.storage_type)
    elif _is_number(kind) or types.is_null(kind):
        found = "number"
    elif types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind):
        found = "text"
    elif types.is_binary(kind) or types.is_large_binary(kind):
        found = "picture"
    elif types.is_struct(kind) and {"bytes", "path"} <= {kind.field(i).name for i in range(kind.num_fields)}:
        found = "picture"  # how Hugging Face data sets store them
    elif _is_list(kind):
        inner = kind.value_type
        while _is_list(inner):
            inner = inner.value_type
        found = "array" if _is_number(inner) else "other"
    return found


def _is_number(kind: Any) -> bool:  # noqa: ANN401
    types = require("pyarrow.types", extra="data", purpose="reading tables")
    checks = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
    return any(check(kind) for check in checks)


def _is_list(kind: Any) -> bool:  # noqa: ANN401
    types = require("pyarrow.types", extra="data", purpose="reading tables")
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def whole(column: Any) -> Any:  # noqa: ANN401 - an Arrow column
    """One Arrow array of a column, whatever it was cut into, and what an extension type stores."""
    pa = arrow()
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # pragma: no cover - some versions keep one chunk in its wrapper
            column = column.chunk(0)
    return column.storage if isinstance(column, pa.ExtensionArray) else column
