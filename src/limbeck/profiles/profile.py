"""`Profile`: the limits of one device, and the table of those that ship with Limbeck."""

from difflib import get_close_matches
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field

from limbeck.errors import RecipeError


class Profile(BaseModel):
    """What a student must fit; `None` is no limit. 1 KB = 1024 bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    title: str = Field(default="", description="the device in words")
    runtime: str | None = Field(default=None, description="what runs the student there")
    latency_ms: float | None = Field(default=None, gt=0, description="time of one answer, milliseconds")
    size_kb: float | None = Field(default=None, gt=0, description="weights as they are stored")
    memory_kb: float | None = Field(default=None, gt=0, description="peak of live activations")
    operators: tuple[str, ...] | None = Field(default=None, description="ONNX operators it runs; None: not restricted")
    source: str = Field(default="", description="where the limits come from")


def names() -> tuple[str, ...]:
    """Names of the profiles that ship with Limbeck, sorted.

    Example:
        >>> names()
        ('browser', 'camera', 'phone', 'raspberry-pi', 'thermostat')
    """
    return tuple(sorted(_files()))


@cache
def named(name: str) -> Profile:
    """The profile of that name.

    Args:
        name: one of `names()`.

    Raises:
        RecipeError: there is none of that name; the nearest right one is named.
    """
    if name not in _files():
        near = get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]}?" if near else "or give limits of your own: {latency_ms, size_kb, memory_kb}"
        raise RecipeError(f"device: {name!r} is no device profile ({', '.join(names())}); {hint}")
    return Profile(name=name, **yaml.safe_load(_files()[name]))


@cache
def _files() -> dict[str, str]:
    """Text of each data file by its stem."""
    here = files("limbeck.profiles")
    return {
        path.name.removesuffix(".yaml"): path.read_text(encoding="utf-8")
        for path in here.iterdir()
        if path.name.endswith(".yaml")
    }
