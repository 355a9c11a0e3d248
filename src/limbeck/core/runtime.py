"""Device, threads and seeds: resolved once, saved with the run."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import torch

from limbeck.core import processes
from limbeck.core.machine import cores
from limbeck.errors import InputError


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where and how a run computes.

    Attributes:
        device: "cpu", "cuda", "cuda:1", "mps".
        threads: intra-op threads of torch on the CPU; part of the run's identity, since sums depend on it.
        mixed_precision: "no", "bf16" or "fp16".
        strategy: how several processes train one model: each holds all of it ("ddp"), or a share of it ("fsdp").
    """

    device: str
    threads: int
    mixed_precision: str = "no"
    strategy: str = "ddp"

    def as_dict(self) -> dict[str, str | int]:
        """For the resolved recipe."""
        return asdict(self)


SMALL = 5_000_000
"""Parameters of the largest model of a run, below which a second thread costs more than it saves."""


def resolve(
    *,
    device: str = "auto",
    threads: int | None = None,
    mixed_precision: str = "no",
    strategy: str = "ddp",
    parameters: int = 0,
) -> Runtime:
    """Fills in what the user left open.

    Args:
        device: "auto" takes CUDA, then Apple's MPS, then the CPU.
        threads: `None` takes 1 where all models are small, else as many as torch would, at most the cores this
            process may use. (A 3K-parameter student trained 20 times slower on two threads of a busy machine.)
        mixed_precision: kept as it is.
        strategy: likewise.
        parameters: of the largest model.

    Returns:
        Nothing is left open in it.

    Raises:
        InputError: the device does not exist here, or cannot compute in that precision.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    _check_device(device)
    _check_processes(device, strategy, mixed_precision)
    if mixed_precision == "fp16" and device == "cpu":
        raise InputError("mixed_precision: fp16 needs a GPU; use 'bf16' or 'no' on the CPU")
    most = 1 if parameters < SMALL else min(torch.get_num_threads(), cores())
    return Runtime(device, threads or most, mixed_precision, strategy)


def _check_processes(device: str, strategy: str, mixed_precision: str) -> None:
    """Several processes take a GPU each, or share the CPU."""
    if strategy == "fsdp" and mixed_precision == "fp16":
        raise InputError("runtime: strategy fsdp does not scale losses as fp16 needs; use mixed_precision: bf16")
    if processes.world() == 1 or device == "cpu":
        return
    if device != "cuda":
        raise InputError(
            f"device: {device!r} is one device, but {processes.world()} processes were started; use 'cuda', where each "
            "takes the GPU of its number, or 'cpu'"
        )
    here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", processes.world())), torch.cuda.device_count()
    if here > gpus:
        raise InputError(f"device: {here} processes were started on a machine of {gpus} GPUs; start at most one a GPU")


def _check_device(device: str) -> None:
    kind, colon, number = device.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (colon and not (kind == "cuda" and number.isdigit())):
        raise InputError(f"device: {device!r} is none; use 'auto', 'cpu', 'cuda', 'cuda:1', ... or 'mps'")
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device: {device!r} was asked for, but this machine has no CUDA device; use 'cpu' or 'auto'")
    if kind == "cuda" and colon and int(number) >= torch.cuda.device_count():
        raise InputError(f"device: {device!r} was asked for, but this machine has {torch.cuda.device_count()} of them")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError("device: 'mps' was asked for, but this machine has no Apple GPU; use 'cpu' or 'auto'")


@contextmanager
def applied(runtime: Runtime) -> Iterator[torch.device]:
    """Sets torch's thread count for the time of a run, and gives it back."""
    before = torch.get_num_threads()
    torch.set_num_threads(runtime.threads)
    try:
        yield torch.device(runtime.device)
    finally:
        torch.set_num_threads(before)


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and torch (all devices), for initialisation and dropout; views and order have their own."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - for users' code that draws from the global state
    torch.manual_seed(seed)
