"""Weights from files: safetensors, or plain tensors of torch's, out of the wrappings that trainers put around them."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from limbeck.errors import ModelError

AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "params_ema", "ema")
"""Entries that hold averaged weights (EMA), which evaluate better; taken first."""
PLAIN = ("state_dict", "model_state_dict", "model", "net", "params", "weights", "module")
"""Entries that hold the weights as they were trained."""
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder.")
"""What wrappers (DataParallel, compile, Lightning) put before every name."""


def read_state(path: Path, *, key: str | None = None, where: str = "teacher") -> tuple[dict[str, Tensor], list[str]]:
    """The state dict in a file.

    Args:
        path: `.safetensors`, or anything that `torch.load` reads with `weights_only=True`.
        key: entry of the file that holds it; `None`: found, averaged weights first.
        where: what the recipe calls the place, for messages.

    Returns:
        The state dict on the CPU, and what the reader should know about where it was found.

    Raises:
        ModelError: it cannot be read, or holds no state dict.
    """
    if not path.is_file():
        raise ModelError(f"{where}.weights: {path} is not a file")
    found: Any = _safetensors(path, where) if path.suffix == ".safetensors" else _torch(path, where)
    if not isinstance(found, Mapping):
        raise ModelError(
            f"{where}.weights: {path} does not fit the {where}: it holds a {type(found).__name__}, not tensors by name"
        )
    if key is not None:
        if not isinstance(found.get(key), Mapping):
            raise ModelError(f"{where}.weights_key: {path} has no entry {key!r} with weights; it has {_few(found)}")
        return _tensors(found[key], path, where), []
    if any(isinstance(value, Tensor) for value in found.values()):
        return _tensors(found, path, where), []
    entries = [name for name in (*AVERAGED, *PLAIN) if isinstance(found.get(name), Mapping)]
    if not entries:
        raise ModelError(
            f"{where}.weights: {path} holds {_few(found)} and no weights under a usual name; say under which they are "
            f"({where}.weights_key)"
        )
    chosen = entries[0]
    notes = []
    if len(entries) > 1:
        kind = "the averaged ones (EMA)" if chosen in AVERAGED else "the first"
        notes.append(
            f"The {where}'s file has weights under {', '.join(entries)}; {chosen} was taken, {kind}: "
            f"{where}.weights_key chooses another."
        )
    return _tensors(found[chosen], path, where), notes


def fit_state(
    module: nn.Module, state: dict[str, Tensor], *, path: Path, where: str = "teacher", but: tuple[str, ...] = ()
) -> list[str]:
    """Loads a state dict whose names may carry a wrapper's prefix.

    Args:
        module: gets the weights.
        state: as read from `path`.
        path: for messages.
        where: what the recipe calls the place, for messages.
        but: layers (paths) whose weights may be absent or of another shape; then they are left as they are.

    Returns:
        What the reader should know.

    Raises:
        ModelError: names or shapes do not fit.
    """
    own = module.state_dict()
    state, prefix = without_prefix(state, own)
    notes = [f"The prefix {prefix!r} was taken off the names in the {where}'s weights."] if prefix else []
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    extra = [name for name in state if name not in own]
    other = [name for name in own if name in state and state[name].shape != own[name].shape]
    left = {name for name in (*missing, *other, *extra) if name.startswith(tuple(f"{layer}." for layer in but))}
    wrong = [
        *(f"{name} is missing" for name in missing if name not in left),
        *(f"{name} is not one of its names" for name in extra if name not in left),
        *(f"size mismatch for {n}: {_shape(state[n])}, not {_shape(own[n])}" for n in other if n not in left),
    ]
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ModelError(f"{where}.weights: {path} does not fit the {where}: {'; '.join(wrong[:3])}{more}")
    module.load_state_dict({name: state[name] for name in own if name in state and name not in left}, strict=False)
    if left:
        notes.append(f"The {where}'s weights have no fitting {' and '.join(but)}, which begins anew.")
    return notes


def without_prefix(state: dict[str, Tensor], own: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The state dict without what a wrapper put before its names, and that prefix.

    Example:
        >>> zero = torch.zeros(1)
        >>> without_prefix({"module.a": zero}, {"a": zero})
        ({'a': tensor([0.])}, 'module.')
    """
    prefix = ""
    while state and not any(name in own for name in state):
        found = next((each for each in PREFIXES if all(name.startswith(each) for name in state)), None)
        if found is None:
            break
        state, prefix = {name.removeprefix(found): value for name, value in state.items()}, prefix + found
    return state, prefix


def _safetensors(path: Path, where: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{where}.weights: {path} cannot be read: {error}; save it again") from error


def _torch(path: Path, where: str) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # trainers keep their arguments beside weights
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"{where}.weights: {path} is not a file of plain tensors ({type(error).__name__}); "
            "save the state_dict, best as .safetensors"
        ) from error


def _tensors(values: Mapping[str, Any], path: Path, where: str) -> dict[str, Tensor]:
    odd = next((name for name, value in values.items() if not isinstance(value, Tensor)), None)
    if odd is not None:
        raise ModelError(f"{where}.weights: {path}: {odd} is a {type(values[odd]).__name__}, expected a tensor")
    return {str(name): value for name, value in values.items()}


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "()"


def _few(found: Mapping[str, Any]) -> str:
    names = [str(name) for name in found]
    return (", ".join(names[:5]) or "nothing") + (", ..." if len(names) > 5 else "")
