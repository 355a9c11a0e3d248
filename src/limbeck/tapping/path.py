"""The grammar of taps: `PART`, `PART:out`, `PART:in`, and steps into tuples and mappings: `PART:out.0.features`.

Behind all that may stand where a map's channels are: `PART@channels-last`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from limbeck.core.outputs import described, places
from limbeck.errors import ModelError
from limbeck.tapping.layout import LAYOUTS, Layout

Side = Literal["in", "out"]
_SIDES: dict[str, Side] = {"in": "in", "out": "out"}


@dataclass(frozen=True, slots=True)
class Tap:
    """A place, read from its path.

    Attributes:
        path: as it was given.
        part: path of a submodule; empty: the whole model.
        side: what the part is given, or what it gives.
        steps: places in tuples, keys of mappings, names of fields; none: the only tensor there is.
        layout: where the channels of a map stand; `None`: as its shape says.
    """

    path: str
    part: str
    side: Side = "out"
    steps: tuple[str, ...] = ()
    layout: Layout | None = None


def parsed(path: str) -> Tap:
    """Reads a path.

    Args:
        path: a part's path, behind a colon its side and the steps, behind an @ the layout.

    Returns:
        The place; whether a model has it is another question.

    Raises:
        ModelError: behind the colon stands neither `in` nor `out`, behind the @ no layout, or the path is empty.

    Example:
        >>> parsed("encoder.layer.3:out.0")
        Tap(path='encoder.layer.3:out.0', part='encoder.layer.3', side='out', steps=('0',), layout=None)
        >>> parsed("layers.1@channels-last").layout
        'channels-last'
    """
    whole, mark, layout = path.rpartition("@")
    if mark and layout not in LAYOUTS:
        raise ModelError(f"tap {path!r}: behind the @ stands {layout!r}, expected {' or '.join(LAYOUTS)}")
    whole = whole if mark else path
    part, colon, place = whole.rpartition(":")
    if not colon:
        part, place = whole, "out"
    side, *steps = place.split(".")
    if side not in _SIDES or "" in steps or not whole:
        raise ModelError(
            f"tap {path!r}: expected PART, PART:in or PART:out, with steps such as PART:out.0 or PART:out.NAME where "
            "there are several tensors"
        )
    return Tap(path, part, _SIDES[side], tuple(steps), LAYOUTS.get(layout) if mark else None)


def tensor_at(tap: Tap, value: object) -> Tensor:
    """The tensor that a tap means, of all that a part was given or gave.

    Args:
        tap: its steps lead from `value`.
        value: a tensor; or tuples, lists, mappings, named tuples and dataclasses of tensors.

    Raises:
        ModelError: a step leads nowhere, or there is not exactly one tensor; the message names the paths there are.

    Example:
        >>> import torch
        >>> tensor_at(parsed("lstm:out.1.0"), (torch.zeros(2, 5), (torch.ones(2, 3), torch.zeros(2, 3)))).shape
        torch.Size([2, 3])
    """
    found = value
    for step in tap.steps:
        inside = {str(name): each for name, each in places(found)}
        if step not in inside:
            raise _refused(tap, value)
        found = inside[step]
    if isinstance(found, Tensor):
        return found
    tensors = [tensor for _, tensor in tensors_in(found)]
    if len(tensors) != 1:
        raise _refused(tap, value)
    return tensors[0]


def tensors_in(value: object, steps: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Every tensor of a nested value, with the steps that lead to it.

    Example:
        >>> import torch
        >>> [steps for steps, _ in tensors_in({"x": torch.zeros(1), "more": (None, torch.zeros(2))})]
        [('x',), ('more', '1')]
    """
    if isinstance(value, Tensor):
        yield steps, value
        return
    for name, each in places(value):
        yield from tensors_in(each, (*steps, str(name)))


def arguments(positional: tuple[object, ...], named: Mapping[str, object]) -> dict[str, object]:
    """What a part was given: by place, and by name."""
    return {**{str(place): each for place, each in enumerate(positional)}, **named}


def written(part: str, side: Side = "out", steps: tuple[str, ...] = (), layout: Layout | None = None) -> str:
    """The shortest path of a place.

    Example:
        >>> written("layer2"), written("layer2", "in"), written("bert", steps=("hidden_states", "3"))
        ('layer2', 'layer2:in', 'bert:out.hidden_states.3')
        >>> written("layers.0", layout="channels-last")
        'layers.0@channels-last'
    """
    path = part if side == "out" and not steps and part else ".".join((f"{part}:{side}", *steps))
    return path if layout is None else f"{path}@{layout}"


def _refused(tap: Tap, value: object) -> ModelError:
    what = "is given" if tap.side == "in" else "gives"
    there = [written(tap.part, tap.side, steps) for steps, _ in tensors_in(value)]
    mend = f"tap {' or '.join(there[:8])}" if there else "there is no tensor in it; tap another part"
    if tap.steps and isinstance(value, Tensor):
        mend = f"it is one tensor; tap {written(tap.part, tap.side)}"
    return ModelError(
        f"tap {tap.path!r}: {tap.part or 'the model'} {what} {described(value)}, expected one tensor; {mend}"
    )
