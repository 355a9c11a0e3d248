"""How long an exported file takes, in its own runtime."""

from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from limbeck.record import Latency


class Runnable(Protocol):
    """An exported file, opened in its runtime."""

    def __call__(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Raw examples in, logits out."""
        ...

    def bound(self, raw: NDArray[Any]) -> Callable[[], object]:
        """One call on `raw` with nothing around it, for the stop-watch."""
        ...


def latency_of(model: Runnable, raw: NDArray[Any], *, runtime: str, threads: int) -> Latency:
    """Latency of one call on all of `raw`."""
    from limbeck.measuring.latency import latency

    return latency(
        model.bound(raw), runtime=runtime, threads=threads, batch=len(raw), warmup=20, repeats=200, min_seconds=0.2
    )
