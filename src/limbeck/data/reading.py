"""`Reading`: how data are to be read, where there is a choice; what sources see of a recipe's `data` section."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

OnCorrupt = Literal["refuse", "skip"]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table mean what; what is left out is found by name and type.

    Attributes:
        label: the column of the class.
        input: the columns of numbers, or the one of pictures.
        id: the column that tells examples apart; by default their row numbers do.
    """

    label: str | None = None
    input: tuple[str, ...] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How data are read.

    Attributes:
        columns: of tables and Hugging Face data sets.
        streaming: whether Hugging Face data sets are read through once instead of being stored first.
        take: of a stream, how many examples are taken from its beginning.
        on_corrupt: "refuse" data that hold pictures which cannot be decoded, or "skip" those pictures.
        in_memory: whether contents are decoded once and kept in memory.
        trust_code: whether `module:function` may be called.
        folder: where such modules are searched first.
    """

    columns: Columns = Columns()
    streaming: bool = False
    take: int | None = None
    on_corrupt: OnCorrupt = "refuse"
    in_memory: bool = False
    trust_code: bool = False
    folder: Path | None = None


AS_THEY_ARE = Reading()
