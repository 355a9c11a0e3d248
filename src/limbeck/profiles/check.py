"""Does a student fit a device? One finding a limit."""

from dataclasses import dataclass

from limbeck.profiles.profile import Profile


@dataclass(frozen=True, slots=True)
class Finding:
    """One limit against what was measured.

    Attributes:
        name: the limit's name, with its unit: `latency_ms`, `size_kb`, `memory_kb`.
        measured: in the same unit.
        limit: in the same unit.
        fits: whether `measured <= limit`.
        indicative: whether it was measured elsewhere than on the device, so that it is a hint and no proof.
    """

    name: str
    measured: float
    limit: float
    fits: bool
    indicative: bool

    def __str__(self) -> str:
        verb = "fits" if self.fits else "exceeds"
        note = " (not measured on the device: indicative only)" if self.indicative else ""
        return f"{self.name}: {self.measured:.4g} {verb} the limit of {self.limit:g}{note}"


def check(
    profile: Profile,
    *,
    size_bytes: int | None = None,
    peak_memory_bytes: int | None = None,
    latency_ms: float | None = None,
    on_device: bool = False,
) -> list[Finding]:
    """Holds measured figures against a profile's limits; what was not measured or is not limited is left out.

    Args:
        profile: the device.
        size_bytes: weights as they are stored.
        peak_memory_bytes: peak of live activations at batch 1.
        latency_ms: time of one answer, median.
        on_device: whether `latency_ms` was measured on that device; size and memory do not depend on it.

    Returns:
        Findings in the order latency, size, memory.

    Example:
        >>> for finding in check(Profile(name="mine", size_kb=10, latency_ms=1), size_bytes=20480, latency_ms=0.5):
        ...     print(finding)
        latency_ms: 0.5 fits the limit of 1 (not measured on the device: indicative only)
        size_kb: 20 exceeds the limit of 10
    """
    pairs = (
        ("latency_ms", latency_ms, profile.latency_ms),
        ("size_kb", _kb(size_bytes), profile.size_kb),
        ("memory_kb", _kb(peak_memory_bytes), profile.memory_kb),
    )
    return [
        Finding(name, measured, limit, measured <= limit, name == "latency_ms" and not on_device)
        for name, measured, limit in pairs
        if measured is not None and limit is not None
    ]


def _kb(size: int | None) -> float | None:
    return None if size is None else size / 1024
