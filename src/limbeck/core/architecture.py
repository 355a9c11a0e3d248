"""What a module computes, apart from its weights: the fingerprint of its code and its plain settings."""

import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from limbeck.core.identity import file_fingerprint, fingerprint, state_fingerprint

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_MODE = frozenset({"training"})
"""Attributes that say how a module is used just now, not what it is."""


def architecture_fingerprint(module: nn.Module) -> str:
    """SHA-256 over everything but the state dict that decides a module's answers, as far as it can be seen.

    Part by part: class, plain attributes (numbers, texts, functions, lists of them) and buffers that no state dict
    holds; then the source files of all classes that were not installed as a package, so that an edited `forward`, or a
    function beside it, makes another model. (What a forward fetches from elsewhere, a global or a file, is not seen.)

    Args:
        module: teacher, student or objective.

    Returns:
        64 hexadecimal digits; the same in another process and on another machine.

    Example:
        >>> one, other = nn.Dropout(0.1), nn.Dropout(0.2)
        >>> architecture_fingerprint(one) == architecture_fingerprint(other)
        False
    """
    parts = [[name, _name(type(part)), _plain(part), _hidden(part)] for name, part in module.named_modules()]
    classes = {type(part) for part in module.modules()}
    code = sorted({text for each in classes for text in _code(each)})
    return fingerprint([_ADDRESS.sub("", repr(module)), parts, code])


def _plain(part: nn.Module) -> dict[str, Any]:
    """Attributes that can be written down; modules, tensors and torch's own bookkeeping are told elsewhere."""
    chosen = {}
    for name, value in vars(part).items():
        if name.startswith("_") or name in _MODE or isinstance(value, nn.Module | Tensor):
            continue
        chosen[name] = _written(value)
    return chosen


def _written(value: Any) -> Any:  # noqa: ANN401
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, dict):
        return {str(key): _written(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_written(each) for each in value]
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType | type):
        return _name(value)
    return _ADDRESS.sub("", repr(value))


def _hidden(part: nn.Module) -> str:
    """Fingerprint of the buffers that no state dict holds."""
    kept = {name for name in part.state_dict() if "." not in name}
    return state_fingerprint({name: value for name, value in part.named_buffers(recurse=False) if name not in kept})


def _code(kind: type) -> Iterator[str]:
    """Of a class and those it inherits from: the source files of what is not installed, else the bytecode."""
    for each in kind.__mro__:
        module = sys.modules.get(each.__module__)
        file = getattr(module, "__file__", None)
        if file is not None and not Path(file).is_file():
            file = None
        if file is None and each.__module__ != "builtins":
            functions = (value for value in vars(each).values() if isinstance(value, types.FunctionType))
            yield fingerprint([_name(each), [_bytecode(function.__code__) for function in functions]])
        elif file is not None and not _installed(Path(file)):
            yield file_fingerprint(Path(file))


def _bytecode(code: types.CodeType) -> list[Any]:
    constants = [_bytecode(each) if inspect.iscode(each) else repr(each) for each in code.co_consts]
    return [code.co_name, code.co_code.hex(), constants, list(code.co_names)]


def _installed(file: Path) -> bool:
    """Whether a file belongs to a package or to Python: their versions are the user's to keep."""
    return (
        any(part in ("site-packages", "dist-packages") for part in file.parts)
        or file.is_relative_to(Path(inspect.__file__).parent)
        or file.is_relative_to(Path(__file__).parents[1])
    )


def _name(value: Any) -> str:  # noqa: ANN401
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
