"""The machine that numbers were measured on. Needs no torch, so that exported students can be measured anywhere."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version


def machine() -> dict[str, str | int | None]:
    """Names what a record's numbers were measured on.

    Example:
        >>> sorted(machine())
        ['cores', 'cpu', 'gpu', 'os', 'python', 'torch']
    """
    return {
        "cpu": _cpu_name(),
        "cores": cores(),
        "gpu": _gpu_name(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "torch": _version("torch"),
    }


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a device file
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _gpu_name() -> str | None:
    torch = sys.modules.get("torch")  # never imported for this: where it is loaded, it is asked
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())
