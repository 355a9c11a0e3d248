"""`shapes`: what can be tapped in a model, found by running it once on a few examples."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from limbeck.core.modes import evaluating
from limbeck.tapping.layout import counted, square_first, unclear
from limbeck.tapping.path import tensors_in, written
from limbeck.tapping.read import bare

Kind = Literal["map", "channels-last", "unclear", "tokens", "vector", "other"]


@dataclass(frozen=True, slots=True)
class Place:
    """One tensor that a part of a model gives.

    Attributes:
        path: names it as a tap.
        part: type of the part.
        kind: what its axes seem to be: `(channels, rows, columns)`, `(rows, columns, channels)`, one of both and the
            path must say which (see `limbeck.tapping.layout`), `(tokens, channels)`, `(channels,)`, or something else.
        shape: without the batch axis.
        bytes: of one example's activation.
        params: numbers in the parameters of all parts that had run by then, this one among them.
        work: what `count` counted by then, for one example; `None` without it.
        runs: how often the part ran in the pass; a part that runs more than once cannot be tapped.
    """

    path: str
    part: str
    kind: Kind
    shape: tuple[int, ...]
    bytes: int
    params: int
    work: int | None
    runs: int


def shapes(model: nn.Module, inputs: Any, *, count: Callable[[], int] | None = None) -> list[Place]:  # noqa: ANN401
    """Runs a model once, in eval mode, and lists its places in the order in which they were computed.

    Tensors of whole numbers, and those whose first axis is not the batch's, are left out: objectives compare rows.

    Args:
        model: left as it was found.
        inputs: a batch: a tensor, a tuple of arguments, or a mapping of named ones. Three rows or more, so that no
            other axis is mistaken for theirs.
        count: asked after each part for a sum so far, such as multiply-accumulates of the whole batch.

    Returns:
        The places; the model's own output is none.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4))
        >>> [(place.path, place.kind, place.shape) for place in shapes(net, torch.zeros(3, 1, 5, 5))][1:]
        [('1', 'map', (8, 3, 3)), ('2', 'vector', (72,)), ('3', 'vector', (4,))]
    """
    model = bare(model)
    counts = counted(model)
    rows = len(next(tensor for _, tensor in tensors_in(inputs)))
    found: dict[str, Place] = {}
    seen: dict[int, int] = {}
    runs: dict[str, int] = {}

    def watch(name: str, part: nn.Module) -> RemovableHandle:
        def hook(module: nn.Module, _inputs: Any, output: Any) -> None:  # noqa: ANN401 - a hook
            seen.update((id(parameter), parameter.numel()) for parameter in module.parameters())
            runs[name] = runs.get(name, 0) + 1
            work = None if count is None else count() // rows
            for place in _places(name, module, output, rows, params=sum(seen.values()), work=work, runs=runs[name]):
                found.pop(place.path, None)  # computed last
                found[place.path] = replace(place, kind="unclear") if unclear(place.shape, counts) else place

        return part.register_forward_hook(hook)

    handles = [watch(name, part) for name, part in model.named_modules() if name]
    try:
        with evaluating(model), torch.no_grad():
            _called(model, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return list(found.values())


def _places(
    name: str, part: nn.Module, output: object, rows: int, *, params: int, work: int | None, runs: int
) -> Iterator[Place]:
    tensors = list(tensors_in(output))
    for steps, tensor in tensors:
        if not tensor.is_floating_point() or not tensor.ndim or len(tensor) != rows:
            continue
        shape = tuple(tensor.shape[1:])
        size = tensor.element_size() * tensor[0].numel()
        path = written(name, steps=steps if len(tensors) > 1 else ())
        yield Place(path, type(part).__name__, kind_of(shape), shape, size, params, work, runs)


def kind_of(shape: tuple[int, ...]) -> Kind:
    """What the axes of an activation seem to be, the batch axis left out.

    Two equal axes before a third that differs are taken for rows and columns; any other map for `(channels, rows,
    columns)`.

    Example:
        >>> kind_of((64, 8, 8)), kind_of((7, 7, 96)), kind_of((197, 384)), kind_of((10,))
        ('map', 'channels-last', 'tokens', 'vector')
    """
    if len(shape) == 3:
        return "channels-last" if square_first(shape) else "map"
    return {1: "vector", 2: "tokens"}.get(len(shape), "other")  # type: ignore[return-value]  # literals all


def _called(model: nn.Module, inputs: Any) -> None:  # noqa: ANN401
    if isinstance(inputs, Tensor):
        model(inputs)
    elif isinstance(inputs, Mapping):
        model(**inputs)
    else:
        model(*inputs)
