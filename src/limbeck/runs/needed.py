"""Packages that a run needs at its end are asked for at its beginning, before anything is trained or written."""

import sys
from importlib.util import find_spec

from limbeck.errors import MissingDependencyError

PACKAGES = {
    "torch": "training",
    "accelerate": "training",
    "safetensors": "saving weights",
    "onnx": "exporting",
    "onnxscript": "exporting",
    "onnxruntime": "comparing exports",
    "jinja2": "the report",
    "altair": "the report",
}
"""Module -> what it is for. All come with the base install; a stripped or broken one lacks some."""


def require_packages() -> None:
    """Looks for every package without importing it.

    Raises:
        MissingDependencyError: one is absent; the message is the line that installs it.
    """
    for module, purpose in PACKAGES.items():
        if sys.modules.get(module, module) is None or find_spec(module) is None:
            raise MissingDependencyError(f"{purpose} needs {module}: pip install 'limbeck'")
