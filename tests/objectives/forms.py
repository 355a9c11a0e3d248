"""Cases of one form each: those that run another code, whatever their numbers."""

import inspect
from collections.abc import Iterable
from typing import get_type_hints

from .case import Case
from .worlds import mapped


def one_of_each(cases: Iterable[Case]) -> list[Case]:
    """The first of every form, in order: cases that differ in temperatures and the like alone are one form."""
    found: dict[object, Case] = {}
    for case in cases:
        found.setdefault(form(case), case)
    return [*found.values()]


def form(case: Case) -> object:
    """Class, settings, and the shapes of all that is read; of a number, whether it is the default, 0 or another."""
    made = case.make()
    hints = get_type_hints(type(made).__init__)
    settings = {
        name: _kind(getattr(made, name), parameter.default) if hints.get(name) is float else repr(getattr(made, name))
        for name, parameter in inspect.signature(type(made)).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    world, shapes = case.fresh(), []
    mapped(world, lambda tensor: shapes.append((tuple(tensor.shape), tensor.dtype)) or tensor)
    absent = tuple(side.logits is None for side in (world.student, world.teacher))
    beside = tuple(part is None for part in (world.batch.mask, world.batch.target_mask, world.batch.mix))
    return case.method, *settings.items(), *shapes, absent, beside


def _kind(number: float, default: float) -> str:
    return "default" if number == default else "none" if number == 0 else "other"
