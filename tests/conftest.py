"""What every test can count on: annotated shapes are checked, and what a machine lacks is skipped with its reason."""

import inspect
import shutil
import signal
import sys
import threading
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import get_args

import beartype
import pytest
from jaxtyping import AbstractArray, jaxtyped

FASHION = Path("/usr/share/datasets/fashion-mnist")


class ShapesChecked(MetaPathFinder):
    """Wraps each function of Limbeck that has a jaxtyping annotation, as its module is imported.

    jaxtyping's own import hook wraps every function there is, which costs time in each call, and makes beartype judge
    protocols and forward references too; that is mypy's work.
    """

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] != "limbeck":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        for name, value in list(vars(module).items()):
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(value):
                setattr(module, name, checked(value))
            elif inspect.isclass(value):
                check_methods(value)


def check_methods(cls: type) -> None:
    for name, value in list(vars(cls).items()):
        if inspect.isfunction(value):
            wrapped = checked(value)
            if wrapped is not value:
                setattr(cls, name, wrapped)


def checked(function):
    """The function with its array annotations checked, or the function itself where it has none."""
    if not any(has_shape(hint) for hint in getattr(function, "__annotations__", {}).values()):
        return function
    return jaxtyped(function, typechecker=only_shapes)


def only_shapes(signature):
    """beartype on the array annotations alone. jaxtyping hands over a stand-in with the signature, not the function."""
    signature.__annotations__ = {k: hint for k, hint in signature.__annotations__.items() if has_shape(hint)}
    return beartype.beartype(signature)


def has_shape(hint) -> bool:
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return any(has_shape(inner) for inner in get_args(hint))


sys.meta_path.insert(0, ShapesChecked())


def pytest_addoption(parser):
    parser.addoption("--nightly", action="store_true", help="run the longer proofs, and nothing else")


def pytest_configure():
    """A shell's background job inherits an ignored SIGINT; tests of Ctrl-C, and what they start, need the usual one."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    chosen = [item for item in items if bool(item.get_closest_marker("nightly")) == config.getoption("nightly")]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen
    for name, reason in (("gpu", no_gpu), ("chromium", no_chromium), ("fashion", no_fashion)):
        marked = [item for item in items if item.get_closest_marker(name)]
        why = reason() if marked else None
        for item in marked if why else ():
            item.add_marker(pytest.mark.skip(reason=why))


def no_gpu():
    import torch

    return None if torch.cuda.is_available() else "this machine has no CUDA device"


def no_chromium():
    return None if shutil.which("chromium") else "chromium is not installed: apt-get install chromium"


def no_fashion():
    there = (FASHION / "train-images-idx3-ubyte.gz").exists()
    return None if there else "Fashion-MNIST is not installed: apt-get install dataset-fashion-mnist"
