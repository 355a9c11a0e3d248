"""Latency: what one call takes, after warm-up, as a distribution and never as a single number."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING

import numpy as np

from limbeck.errors import InputError
from limbeck.record import Latency

if TYPE_CHECKING:
    from torch import Tensor, device, nn

_BLOCK = 10
"""Calls whose medians are compared to see whether warm-up is over."""
_STABLE = 0.05
"""Warm-up is over when two blocks in a row differ by no more than this."""
_WARMUP_SECONDS = 1.0
"""Budget for becoming stable, past the calls that were asked for."""


def latency(
    call: Callable[[], object],
    *,
    runtime: str,
    threads: int,
    batch: int,
    warmup: int = 20,
    repeats: int = 200,
    min_seconds: float = 0.2,
) -> Latency:
    """Times a call with a monotonic clock and the garbage collector held.

    Args:
        call: does the work once and returns when it is done.
        runtime: what runs it, for the record.
        threads: the threads it was given, for the record; nothing is set here.
        batch: examples a call, for the record.
        warmup: calls not counted, at least; warming goes on until two blocks of 10 calls agree to 5%, for a second.
        repeats: calls counted, at least; p99 means little below 100.
        min_seconds: how long calls are counted, at least.

    Returns:
        Percentiles of a call in ms.

    Raises:
        InputError: a number is too low.
    """
    if repeats < 1 or warmup < 0 or threads < 1 or batch < 1:
        raise InputError(
            f"latency: repeats {repeats}, threads {threads} and batch {batch} must be at least 1, "
            f"and warmup {warmup} at least 0"
        )
    with _no_collection():
        _warm(call, warmup)
        times_ns = _timed(call, repeats, min_seconds)
    p50, p90, p99 = np.percentile(times_ns, [50, 90, 99]) / 1e6
    return Latency(
        runtime=runtime,
        threads=threads,
        batch=batch,
        repeats=len(times_ns),
        p50=float(p50),
        p90=float(p90),
        p99=float(p99),
        max=max(times_ns) / 1e6,
    )


def torch_latency(
    module: "nn.Module",
    example: "Tensor",
    *,
    threads: int = 1,
    batch: int = 1,
    warmup: int = 20,
    repeats: int = 200,
    min_seconds: float = 0.2,
) -> Latency:
    """Times a module in eager mode, eval and without gradients, on the device it lies on.

    Args:
        module: left in the mode it was found in.
        example: one or more examples `(k, ...)`; they are repeated to fill the batch.
        threads: of torch, for the time of the measurement; >= 1.
        batch: examples a call; >= 1.
        warmup: as for `latency`.
        repeats: as for `latency`.
        min_seconds: as for `latency`.

    Returns:
        Percentiles of a call in ms.
    """
    import torch

    from limbeck.core.modes import evaluating
    from limbeck.measuring.modes import device_of

    device = device_of(module)
    rows = example[torch.arange(batch) % len(example)].to(device)
    before = torch.get_num_threads()

    def call() -> None:
        module(rows)
        wait_for(device)

    try:
        torch.set_num_threads(threads)
        with evaluating(module), torch.inference_mode():
            return latency(
                call,
                runtime="torch",
                threads=threads,
                batch=batch,
                warmup=warmup,
                repeats=repeats,
                min_seconds=min_seconds,
            )
    finally:
        torch.set_num_threads(before)


def wait_for(where: "device") -> None:
    """Returns when the device has done what it was given: a GPU's calls return before their work is done."""
    import torch

    if where.type == "cuda":
        torch.cuda.synchronize(where)
    elif where.type == "mps":
        torch.mps.synchronize()


def _timed(call: Callable[[], object], repeats: int, min_seconds: float) -> list[int]:
    times: list[int] = []
    total, enough = 0, int(min_seconds * 1e9)
    while len(times) < repeats or total < enough:
        start = perf_counter_ns()
        call()
        spent = perf_counter_ns() - start
        times.append(spent)
        total += max(spent, 1)
    return times


def _warm(call: Callable[[], object], warmup: int) -> None:
    if not warmup:
        return
    _timed(call, warmup, 0.0)
    until = perf_counter_ns() + int(_WARMUP_SECONDS * 1e9)
    last = float(np.median(_timed(call, min(_BLOCK, warmup), 0.0)))
    while perf_counter_ns() < until:
        now = float(np.median(_timed(call, _BLOCK, 0.0)))
        if abs(now - last) <= _STABLE * last:
            return
        last = now


@contextmanager
def _no_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
