"""Modules and functions of the user's: found, called, copied, and answered when they fail."""

import copy
from collections.abc import Mapping
from typing import Any

from torch import nn

from limbeck.core.dotted import load_object
from limbeck.core.printed import reason
from limbeck.errors import ModelError
from limbeck.recipe.model import GIVEN
from limbeck.runs.given import Given


def foreign(name: str | None, given: Any, beside: Given, what: str) -> tuple[Any, str]:  # noqa: ANN401
    """The user's own module or factory, and what to call it.

    Raises:
        TrustError: it is a name, and `trust_code` was not given.
        ModelError: it is not there.
    """
    if name is None or name == GIVEN:
        if given is None:
            raise ModelError(f"{what} is 'given', but none was given; pass {what}=... to distil()")
        kind = type(given) if isinstance(given, nn.Module) else given
        return given, f"{getattr(kind, '__module__', '')}:{getattr(kind, '__qualname__', what)}"
    return load_object(name, trust_code=beside.trust_code, what=what, folder=beside.folder), name


def called(factory: Any, what: str, settings: Mapping[str, Any] | None = None) -> nn.Module:  # noqa: ANN401
    """The module that a factory makes.

    Raises:
        ModelError: it fails, or makes something else.
    """
    if not callable(factory):
        raise ModelError(f"{what}: expected a module or a function that makes one, got {type(factory).__name__}")
    try:
        module = factory(**(settings or {}))
    except Exception as error:  # foreign code may raise anything
        how = f"with {', '.join(settings)}" if settings else "without arguments"
        hint = "" if settings or what == "student" else f"; {what}.settings gives it some"
        raise ModelError(f"{what}: making it failed: {reason(error)}; it is called {how}{hint}") from error
    if not isinstance(module, nn.Module):
        raise ModelError(f"{what}: the function must return a torch.nn.Module, it returned {type(module).__name__}")
    return module


def copied(module: nn.Module, what: str) -> nn.Module:
    """A copy that its owner knows nothing of.

    Raises:
        ModelError: it cannot be copied.
    """
    try:
        return copy.deepcopy(module)
    except Exception as error:
        raise ModelError(
            f"the {what} cannot be copied for each seed: {reason(error)}; give a function that makes a fresh one"
        ) from error
