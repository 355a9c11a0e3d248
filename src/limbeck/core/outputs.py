"""Where the logits are in what a module returns: a dictionary's key, an object's attribute, a place in a tuple."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from limbeck.errors import ModelError

Place = str | int


class LogitsOf(nn.Module):
    """A module that gives its logits and nothing else; its state dict is the inner module's own.

    Args:
        module: returns a mapping, a tuple, a dataclass, or a tensor.
        output: where the logits are; `None`: the module returns them alone. A bare tensor is taken as it is.
        probabilities: the module gives probabilities, whose logarithm serves as logits (softmax gives them back).

    Example:
        >>> class Two(nn.Module):
        ...     def forward(self, x):
        ...         return {"logits": x, "hidden": x[:, :1]}
        >>> LogitsOf(Two(), "logits")(torch.zeros(2, 3)).shape
        torch.Size([2, 3])
    """

    def __init__(self, module: nn.Module, output: Place | None = None, *, probabilities: bool = False) -> None:
        super().__init__()
        self.module = module
        self.output = output
        self.probabilities = probabilities

    def forward(self, x: Tensor) -> Any:  # noqa: ANN401 - without an output, whatever the module returns
        """What stands at `output`.

        Raises:
            ModelError: nothing stands there, or no tensor.
        """
        found = self.module(x)
        if self.output is not None and not isinstance(found, Tensor):
            found = taken(found, self.output)
        if self.probabilities:
            found = found.float().clamp_min(torch.finfo(torch.float32).tiny).log()
        return found

    def state_dict(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - torch's own signature
        """The inner module's, under its own names."""
        return self.module.state_dict(*args, **options)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:  # noqa: ANN401
        """The inverse: what carries the inner module's names is handed down to it."""
        for name in [name for name in state_dict if name.startswith(prefix)]:
            state_dict[f"{prefix}module.{name.removeprefix(prefix)}"] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def inner(module: nn.Module) -> nn.Module:
    """The user's own module in there: its parts have the names that he knows."""
    while isinstance(module, LogitsOf):
        module = module.module
    return module


def taken(found: object, output: Place) -> Tensor:
    """The tensor at `output` of what a module returned.

    Raises:
        ModelError: nothing stands there, or no tensor.
    """
    if isinstance(output, int):
        value = found[output] if isinstance(found, Sequence) and -len(found) <= output < len(found) else None
    elif isinstance(found, Mapping):
        value = found.get(output)
    else:
        value = getattr(found, output, None)
    if not isinstance(value, Tensor):
        raise ModelError(f"output: there is no tensor at {output!r} in what the model gave: {described(found)}")
    return value


def described(found: object) -> str:
    """What a module returned, for messages.

    Example:
        >>> described({"logits": torch.zeros(2, 10), "loss": None})
        'dict of logits (2, 10), loss NoneType'
    """
    if isinstance(found, Tensor):
        return f"shape {tuple(found.shape)}"
    inside = ", ".join(f"{place} {_short(value)}" for place, value in places(found))
    kind = type(found).__name__
    return f"{kind} of {inside}" if inside else kind


def place_of(found: object, shape: tuple[int, ...]) -> Place | None:
    """Where in `found` a tensor of this shape stands; `None` where none does.

    Example:
        >>> place_of((torch.zeros(2, 7), torch.zeros(2, 10)), (2, 10))
        1
    """
    return next((at for at, value in places(found) if isinstance(value, Tensor) and tuple(value.shape) == shape), None)


def places(found: object) -> Iterator[tuple[Place, object]]:
    """What stands in a mapping, tuple or dataclass, by key, name or place; nothing in anything else."""
    if isinstance(found, Mapping):
        yield from ((str(name), value) for name, value in found.items())
    elif isinstance(found, tuple) and hasattr(found, "_fields"):
        yield from zip(found._fields, found, strict=True)
    elif isinstance(found, list | tuple):
        yield from enumerate(found)
    elif is_dataclass(found):
        yield from ((field.name, getattr(found, field.name, None)) for field in fields(found))


def _short(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__
