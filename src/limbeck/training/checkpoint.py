"""Checkpoints: one safetensors file with everything that the next step depends on, written atomically.

No pickle: tensors as tensors, the rest as JSON in the file's own metadata.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.optim import Optimizer

from limbeck.core import processes
from limbeck.core.storage import write_tensors
from limbeck.errors import RunFolderError
from limbeck.training import randomness
from limbeck.training.sharded import like, whole


class Stateful(Protocol):
    """What can be saved: a module, or weights kept beside one."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """Tensors by name."""
        ...

    def load_state_dict(self, tensors: Mapping[str, Tensor], /) -> object:
        """The inverse."""
        ...


@dataclass(slots=True)
class Progress:
    """Where a run is.

    Attributes:
        step: optimiser steps done.
        history: rows of `{"step", "epoch", "values": {name: number}}`.
        sums: sum of each loss term since the last row.
        count: steps in `sums`.
        seconds: spent training, over all its sittings.
    """

    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0
    seconds: float = 0.0


def save(
    path: Path,
    *,
    identity: str,
    progress: Progress,
    modules: Mapping[str, Stateful],
    optimiser: Optimizer,
    scaler: Mapping[str, Any] | None = None,
) -> None:
    """Writes the state of a run; of several processes the main one writes for all, and all return when it has.

    Args:
        path: the file; replaced as a whole.
        identity: fingerprint of everything that the weights depend on; another identity cannot read it.
        progress: where the run is.
        modules: student, objective, and weights kept beside the student, by name.
        optimiser: its state is stored by parameter number.
        scaler: state of the float16 loss scaler.

    Raises:
        StorageError: the disk is full or the folder cannot be written; the previous checkpoint is as it was.
    """
    tensors: dict[str, Tensor] = {
        f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()
    }
    tensors |= optimiser_state(optimiser)
    for rank, states in enumerate(processes.gather(randomness.states())):
        tensors |= {_of(rank, name): value for name, value in states.items()}
    meta = {"identity": identity, "progress": asdict(progress), "scaler": None if scaler is None else dict(scaler)}
    if processes.is_main():
        write_tensors(path, tensors, {"limbeck": json.dumps(meta)})
    processes.barrier()


def load(
    path: Path, *, identity: str, modules: Mapping[str, Stateful], optimiser: Optimizer | None
) -> tuple[Progress, dict[str, Any] | None]:
    """Restores the state of a run in place.

    Args:
        path: written by `save`.
        identity: must be the one it was saved under.
        modules: the same student and objective, freshly built.
        optimiser: freshly built over the same parameters; `None` restores all but the optimiser.

    Returns:
        Where the run was, and the loss scaler's state.

    Raises:
        RunFolderError: the file belongs to another run, or is damaged.
    """
    meta, tensors = _read(path, with_tensors=True)
    if meta["identity"] != identity:
        raise RunFolderError(f"{path} belongs to another run (settings, data or versions differ); choose another --out")
    for name, module in modules.items():
        module.load_state_dict(below(f"{name}/", tensors))
    if optimiser is not None:
        load_optimiser(optimiser, tensors)
    own = {name: tensors.get(_of(processes.rank(), name), value) for name, value in tensors.items()}
    randomness.restore(own)
    return Progress(**meta["progress"]), meta["scaler"]


def peek(path: Path) -> Progress:
    """Where a checkpoint was, without loading its tensors.

    Raises:
        RunFolderError: the file is damaged.
    """
    return Progress(**_read(path, with_tensors=False)[0]["progress"])


def _of(rank: int, name: str) -> str:
    """Where a checkpoint keeps the random state of a process."""
    return name if rank == 0 else f"process-{rank}/{name}"


def _read(path: Path, *, with_tensors: bool) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            meta = json.loads((file.metadata() or {})["limbeck"])
            names = file.keys() if with_tensors else ()
            return meta, {name: file.get_tensor(name) for name in names}
    except (SafetensorError, ValueError, KeyError) as error:
        raise RunFolderError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}); remove it, and training starts anew"
        ) from error


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin so, without that beginning."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def optimiser_state(optimiser: Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as tensors, named `optimiser/<parameter number>/<entry>`."""
    state = optimiser.state_dict()["state"]
    return {
        f"optimiser/{number}/{key}": whole(torch.as_tensor(value))
        for number, entries in state.items()
        for key, value in entries.items()
    }


def load_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `optimiser_state`; passes by tensors of other names.

    Gives each entry the memory layout of its parameter: fused kernels round differently in another layout.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if not key.startswith("optimiser/"):
            continue
        _, number, entry = key.split("/")
        parameter = parameters[int(number)]
        alike = value.shape == parameter.shape and value.ndim > 0
        state.setdefault(int(number), {})[entry] = like(value, parameter) if alike else value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
