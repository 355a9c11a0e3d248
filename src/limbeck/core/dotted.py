"""`module:function` names: code from outside, loaded only with `--trust-code`."""

import sys
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

from limbeck.errors import ModelError, TrustError


def load_object(name: str, *, trust_code: bool, what: str, folder: Path | None = None) -> Any:  # noqa: ANN401
    """The object behind `package.module:name`.

    Args:
        name: dotted module, a colon, and the attribute.
        trust_code: whether the user allowed foreign code to run.
        what: where the name stands, for messages: "teacher.from".
        folder: searched for the module first (the recipe's folder).

    Returns:
        Whatever stands there.

    Raises:
        TrustError: `trust_code` is false.
        ModelError: the module cannot be imported, for whatever reason, has no such attribute, or another module of the
            same name came first.
    """
    if not trust_code:
        raise TrustError(f"{what}: {name!r} runs code of yours; if you trust it, add --trust-code (trust_code=True)")
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ModelError(f"{what}: {name!r} is not of the form module:function")
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        found = import_module(module)
    except Exception as error:  # foreign code may raise anything
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        raise ModelError(f"{what}: cannot import {module!r}: {kind}{error}") from error
    if folder is not None:
        _check_place(module.partition(".")[0], folder, what)
    try:
        return attrgetter(attribute)(found)
    except AttributeError as error:
        raise ModelError(f"{what}: {module!r} has no {attribute!r}") from error


def _check_place(package: str, folder: Path, what: str) -> None:
    """A process knows one module of a name; the folder's own must not be mistaken for it."""
    if not ((folder / f"{package}.py").is_file() or (folder / package / "__init__.py").is_file()):
        return
    origin = getattr(sys.modules[package], "__file__", None)
    if origin is None or not Path(origin).resolve().is_relative_to(folder.resolve()):
        raise ModelError(
            f"{what}: there is a {package!r} in {folder}, but this process has already loaded another one "
            f"({origin or 'built in'}); rename yours"
        )
