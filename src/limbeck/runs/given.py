"""`Given`: Python objects that stand beside a recipe instead of names in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from limbeck.objectives import WeightedSum


@dataclass(frozen=True, slots=True)
class Given:
    """What Python code handed over; everything it left out comes from the recipe.

    Attributes:
        teacher: a module that gives logits, or several. While the run lasts it is in eval mode and frozen.
        student: a module, a copy of which every seed starts from; or a function without arguments that makes a fresh
            one.
        data: training examples: arrays, a map-style data set, or anything `limbeck.data.open.open_source` opens.
        test: likewise, for the test split.
        validation: likewise, for the validation split.
        unlabelled: likewise, for more transfer data.
        objective: what the student minimises; `None`: as the recipe says.
        trust_code: whether names of the form `module:function` may be loaded.
        folder: where such modules are searched first.
    """

    teacher: nn.Module | Sequence[nn.Module] | None = None
    student: nn.Module | Callable[[], nn.Module] | None = None
    data: Any = None
    test: Any = None
    validation: Any = None
    unlabelled: Any = None
    objective: WeightedSum | None = None
    trust_code: bool = False
    folder: Path | None = None
