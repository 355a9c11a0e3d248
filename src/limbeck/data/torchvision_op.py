"""torchvision's v2 transforms as view ops: by name and arguments, one example at a time."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from limbeck.core.optional import require
from limbeck.data.per_example import PerExample
from limbeck.errors import InputError

PREFIX = "v2:"
"""Before a transform's name in recipes: `{op: "v2:ColorJitter", brightness: 0.3}`."""

_OURS = {"MixUp": "mixup", "CutMix": "cutmix"}


def v2(transform: str, arguments: dict[str, Any] | None = None) -> PerExample:
    """A transform of `torchvision.transforms.v2` as a view op; values stay in 0..255.

    Args:
        transform: the class's name, for instance "ColorJitter".
        arguments: what its constructor takes. `interpolation` may be given by name ("bilinear"), and a transform
            inside another as `{"op": "v2:...", ...}`.

    Raises:
        InputError: there is no such transform, or it does not take these arguments.
        MissingDependencyError: torchvision is not installed.
    """
    given = dict(arguments or {})
    return PerExample(_made(transform, given), name=f"{PREFIX}{transform}", arguments=given)


def _made(name: str, arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401 - torchvision has no types
    library = require("torchvision.transforms.v2", extra="vision", purpose=f"the view {PREFIX}{name}")
    if name in _OURS:
        raise InputError(f"views: {PREFIX}{name} needs labels and a whole batch; use {_OURS[name]} instead")
    names = [each for each in dir(library) if isinstance(getattr(library, each), type)]
    known = [each for each in names if issubclass(getattr(library, each), library.Transform) and each != "Transform"]
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
        raise InputError(f"views: torchvision.transforms.v2 has no transform {name!r}{hint}")
    try:
        return getattr(library, name)(**{key: _argument(key, value) for key, value in arguments.items()})
    except InputError:
        raise
    except Exception as error:  # constructors complain in their own ways
        raise InputError(f"views: {PREFIX}{name} does not take {dict(arguments)}: {error}") from error


def _argument(key: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [_argument(key, each) for each in value]
    if isinstance(value, dict) and isinstance(value.get("op"), str):
        inner = {k: v for k, v in value.items() if k != "op"}
        return _made(value["op"].removeprefix(PREFIX), inner)
    if key == "interpolation" and isinstance(value, str):
        modes = require("torchvision.transforms.v2", extra="vision", purpose="views").InterpolationMode
        return modes(value)
    return value
