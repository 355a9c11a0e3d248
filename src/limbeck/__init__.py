"""Limbeck distils a large model into a small one for your device, and proves what was kept and what was lost.

The public surface is the verbs (one keyword-only function each, the same as on the command line) and the two
objectives everybody needs. Everything is loaded on first use: `import limbeck` itself imports no heavy library.

Example:
    >>> import limbeck as lk
    >>> sorted(name for name in lk.__all__ if name[0].isupper())
    ['HardLabels', 'Run', 'SoftTargets']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from limbeck.core.version import __version__

if TYPE_CHECKING:
    from limbeck.objectives.hard_labels import HardLabels as HardLabels
    from limbeck.objectives.soft_targets import SoftTargets as SoftTargets
    from limbeck.verbs.check import check as check
    from limbeck.verbs.demo import demo as demo
    from limbeck.verbs.devices import devices as devices
    from limbeck.verbs.distil import Run as Run
    from limbeck.verbs.distil import distil as distil
    from limbeck.verbs.export import export as export
    from limbeck.verbs.guide import guide_info as guide_info
    from limbeck.verbs.guide import import_guide as import_guide
    from limbeck.verbs.guide import verify_guide as verify_guide
    from limbeck.verbs.init import init as init
    from limbeck.verbs.label import label as label
    from limbeck.verbs.measure import measure as measure
    from limbeck.verbs.methods import methods as methods
    from limbeck.verbs.predict import predict as predict
    from limbeck.verbs.report import report as report
    from limbeck.verbs.study import study as study
    from limbeck.verbs.taps import taps as taps

_HOMES = {
    "HardLabels": "limbeck.objectives.hard_labels",
    "Run": "limbeck.verbs.distil",
    "SoftTargets": "limbeck.objectives.soft_targets",
    "check": "limbeck.verbs.check",
    "demo": "limbeck.verbs.demo",
    "devices": "limbeck.verbs.devices",
    "distil": "limbeck.verbs.distil",
    "export": "limbeck.verbs.export",
    "guide_info": "limbeck.verbs.guide",
    "import_guide": "limbeck.verbs.guide",
    "init": "limbeck.verbs.init",
    "label": "limbeck.verbs.label",
    "measure": "limbeck.verbs.measure",
    "methods": "limbeck.verbs.methods",
    "predict": "limbeck.verbs.predict",
    "report": "limbeck.verbs.report",
    "study": "limbeck.verbs.study",
    "taps": "limbeck.verbs.taps",
    "verify_guide": "limbeck.verbs.guide",
}

__all__ = [
    "HardLabels",
    "Run",
    "SoftTargets",
    "__version__",
    "check",
    "demo",
    "devices",
    "distil",
    "export",
    "guide_info",
    "import_guide",
    "init",
    "label",
    "measure",
    "methods",
    "objectives",
    "predict",
    "report",
    "study",
    "taps",
    "verify_guide",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    if name == "objectives":
        return import_module("limbeck.objectives")
    if name not in _HOMES:
        raise AttributeError(f"module 'limbeck' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
