"""Which parts of a model a path or a pattern names."""

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Literal

from torch import nn

from limbeck.errors import ModelError
from limbeck.tapping.path import Tap, parsed, written

_WILD = "*?["

Whose = Literal["model", "student", "teacher"]
_KEYS = {"student": "objective.student", "teacher": "objective.teacher, guide.features"}
"""Where a recipe names taps of whom."""


def matching(model: nn.Module, pattern: str) -> list[str]:
    """The paths that a pattern stands for, in the model's order.

    Args:
        model: any module.
        pattern: as a path, but with `*`, `?` and `[...]` in the names of parts; each stands for one part or a piece of
            it, never for a dot. Side, steps and layout are taken as they are: `encoder.layer.*:out.0`.

    Returns:
        At least one path.

    Raises:
        ModelError: it matches nothing; the message names what is near.

    Example:
        >>> net = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
        >>> matching(net, "*.0"), matching(net, "1.*:in")
        (['0.0', '1.0'], ['1.0:in', '1.1:in'])
    """
    tap, names = parsed(pattern), _names(model)
    wanted = tap.part.split(".")
    found = [name for name in names if name == tap.part or _fits(name.split("."), wanted)]
    if not found and tap.part:
        raise _unknown(pattern, tap.part, names)
    return [written(name, tap.side, tap.steps, tap.layout) for name in found or [""]]


def located(model: nn.Module, path: str, whose: Whose = "model") -> Tap:
    """The one place that a path, or a pattern with one match, names.

    Args:
        model: any module.
        path: of one place.
        whose: what the model is called where there is no such part.

    Raises:
        ModelError: the model has no such part, or several.
    """
    tap, names = parsed(path), _names(model)
    if tap.part in names or (not tap.part and path):
        return tap
    if not any(sign in tap.part for sign in _WILD):
        raise _unknown(path, tap.part, names, whose)
    found = matching(model, path)
    if len(found) > 1:
        raise ModelError(f"tap {path!r}: {len(found)} parts match, expected one of {', '.join(found[:8])}")
    only = parsed(found[0])
    return Tap(path, only.part, only.side, only.steps, only.layout)


def _names(model: nn.Module) -> list[str]:
    """Every path of every part: a shared one has several."""
    return [name for name, _ in model.named_modules(remove_duplicate=False) if name]


def _fits(parts: list[str], wanted: list[str]) -> bool:
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _unknown(path: str, part: str, names: list[str], whose: Whose = "model") -> ModelError:
    near = get_close_matches(part, names, n=3, cutoff=0.3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    keys = f" ({_KEYS[whose]})" if whose in _KEYS else ""
    mend = f"{'' if near else ';'} `limbeck taps RECIPE` lists those that fit" if keys else ""
    return ModelError(f"tap {path!r}{keys}: the {whose} has no such part{hint}{mend}")
