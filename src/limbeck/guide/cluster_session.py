"""Ray for the time of one labelling: the caller's, the cluster's at RAY_ADDRESS, or one of this machine's own."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from types import ModuleType
from typing import Any

from limbeck.core.optional import require
from limbeck.guide.cluster_writer import EXTRA, PURPOSE

_LOCAL = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's own processes warn about how Ray Data starts its actors
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}


def imported() -> ModuleType:
    """Ray and its part for data.

    Raises:
        MissingDependencyError: they are not installed.
    """
    require("ray.data", extra=EXTRA, purpose=PURPOSE)
    return require("ray", extra=EXTRA, purpose=PURPOSE)


@contextmanager
def connected(cpus: int) -> Iterator[ModuleType]:
    """Ray, running; what was started here is stopped at the end.

    Ray that the caller has initialised is used as it is. Else `RAY_ADDRESS` says where the cluster is ("auto": the one
    this machine belongs to); without it a local one is started, which nobody else on the network can reach and which
    reports nothing to its makers.

    Args:
        cpus: of a local one.

    Yields:
        The module `ray`.
    """
    ray = imported()
    if ray.is_initialized():
        yield ray
        return
    local = os.environ.get("RAY_ADDRESS", "local") == "local"
    with _environment(_LOCAL if local else {}):
        own = {"address": "local", "num_cpus": cpus, "include_dashboard": False} if local else {}
        with _on_loopback() if local else nullcontext():
            with _handlers_kept():
                ray.init(**own, log_to_driver=False, logging_level=logging.ERROR)
            try:
                yield ray
            finally:
                actors = _own_actors() if local else []
                ray.shutdown()
                _end(actors)


def _own_actors() -> list[Any]:
    """Ray's workers among the processes that this one has started."""
    psutil = require("psutil", extra=None, purpose=PURPOSE)  # accelerate brings it
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.name().startswith("ray::"):
                found.append(process)
    return found


def _end(actors: list[Any]) -> None:
    """An actor that ends just as its cluster does can be left waiting for it for ever, with the teacher in memory."""
    psutil = require("psutil", extra=None, purpose=PURPOSE)
    for actor in psutil.wait_procs(actors, timeout=3)[1]:
        with suppress(psutil.NoSuchProcess):
            actor.kill()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets what the user has not set, for the time of the block."""
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Ray takes 127.0.0.1 for its address, and listens there alone; else it would listen to the whole network.

    Ray does so by itself on systems where it makes no clusters. Elsewhere this constant is the only switch there is:
    `_node_ip_address="127.0.0.1"` is taken for a mistake, and replaced.
    """
    constants: Any = sys.modules.get("ray._private.ray_constants")
    before = getattr(constants, "ENABLE_RAY_CLUSTER", None)
    if before is None:  # another Ray; a test finds out whether that one keeps to itself
        yield
        return
    constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray puts its own handler of SIGTERM in place of whatever is there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
