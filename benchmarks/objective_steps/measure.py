"""Processor time and memory of steps."""

import ctypes
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr
from functools import reduce
from io import StringIO
from operator import add
from random import Random
from weakref import WeakSet

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

Step = Callable[[], Tensor]
"""Gives a loss with its graph."""


def added(terms: Mapping[str, Tensor]) -> Tensor:
    """The loss; `sum` would add a 0 first."""
    return reduce(add, terms.values())


class Timed:
    """A step there and back: forward and backward pass; gradients of earlier rounds are let go first.

    Args:
        step: gives the loss.
        leaves: what gradients are left at.
    """

    def __init__(self, step: Step, leaves: Iterable[Tensor]) -> None:
        self.step, self.leaves = step, tuple(leaves)

    def ready(self) -> None:
        for leaf in self.leaves:
            leaf.grad = None

    def __call__(self) -> None:
        self.step().backward()


def settle_memory() -> None:
    """Blocks below 32 MB come from a heap that is not given back: glibc's own steady state, without its trimming.

    Otherwise a step of 0.5 ms takes 2 ms or not, as the heap happens to end; larger blocks are the system's each time,
    as always.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 32 * 2**20)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 2**30)  # M_TRIM_THRESHOLD


def medians(steps: dict[str, Timed], seconds: float = 1.0) -> dict[str, float]:
    """Milliseconds of processor time, in rounds that take all steps, each in another order; the first two warm up.

    Args:
        steps: what takes turns.
        seconds: how long all of it should take; there are 31 to 301 rounds.
    """
    random = Random(0)
    one_round(steps, random)
    rounds = min(max(round(seconds / sum(one_round(steps, random).values())), 31), 301)
    took = [one_round(steps, random) for _ in range(rounds)]
    return {name: 1e3 * statistics.median(each[name] for each in took) for name in steps}


def one_round(steps: dict[str, Timed], random: Random) -> dict[str, float]:
    """Seconds that each took."""
    took = {}
    for name, step in random.sample(list(steps.items()), len(steps)):
        step.ready()
        began = time.process_time()
        step()
        took[name] = time.process_time() - began
    return took


def peak_kilobytes(step: Timed) -> float:
    """The most that was allocated at one time within the step, beyond what was there before it.

    Every allocation of torch's CPU allocator counts, those inside an operator too, and the gradients left at the
    leaves; workspaces that a library allocates by itself do not.
    """
    step.ready()
    with redirect_stderr(StringIO()), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    live = most = 0
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return most / 1024


class Held:
    """A tensor that a graph keeps; it goes when the graph lets go of it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def kept_kilobytes(step: Timed) -> float:
    """Of the tensors that the finished graph keeps, each storage once, inputs too."""
    there: WeakSet[Held] = WeakSet()

    def keep(tensor: Tensor) -> Held:
        held = Held(tensor)
        there.add(held)
        return held

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda held: held.tensor):
        value = step.step()
    storages = {held.tensor.untyped_storage().data_ptr(): held.tensor.untyped_storage().nbytes() for held in there}
    del value
    return sum(storages.values()) / 1024
