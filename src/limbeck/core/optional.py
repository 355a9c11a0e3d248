"""Optional packages: imported where they are used, and answered with the line that installs them when absent."""

from importlib import import_module
from types import ModuleType

from limbeck.errors import MissingDependencyError


def require(module: str, *, extra: str | None, purpose: str) -> ModuleType:
    """Imports `module`, or says how to install it.

    Args:
        module: dotted name.
        extra: Limbeck's extra that brings it; `None` when it belongs to the base install.
        purpose: what it is needed for, for the message: "timm students", "training".

    Raises:
        MissingDependencyError: it is not installed, or is installed and cannot be imported.

    Example:
        >>> require("json", extra=None, purpose="this example").__name__
        'json'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and not f"{module}.".startswith(f"{error.name}."):
            raise MissingDependencyError(
                f"{purpose} needs {module}, which is installed but lacks {error.name}: pip install {error.name}"
            ) from error
        target = f"limbeck[{extra}]" if extra else "limbeck"
        raise MissingDependencyError(f"{purpose} needs {module}: pip install '{target}'") from error
    except (ImportError, RuntimeError) as error:
        hint = ""
        if "torchvision::nms" in str(error):
            hint = "; torchvision does not match torch: reinstall both in one command, pip install torch torchvision"
        raise MissingDependencyError(f"{purpose} needs {module}, which fails to import: {error}{hint}") from error
