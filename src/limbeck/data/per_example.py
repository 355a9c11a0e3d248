"""Any other transform as a view op: one example at a time, its random state seeded for the view. Slow, and says so."""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from limbeck.core.identity import fingerprint
from limbeck.data.draws import Draws
from limbeck.errors import InputError

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_ROWS_TO_JUDGE_SCALE = 4
_LIT = 32


class PerExample:
    """A callable that takes one raw example (a tensor, for images uint8 of `(c, h, w)`) and returns its view.

    torchvision's v2 transforms draw once for a whole batch, so each example gets its own call, with Python's, NumPy's
    and torch's random states seeded from (view seed, example id, view number), and given back afterwards.

    Args:
        transform: the callable.
        name: what a recipe calls it; with a name, whatever it raises becomes an `InputError`.
        arguments: what it was made with, where a recipe made it; part of the fingerprint.

    Example:
        >>> PerExample(torch.flipud).change(torch.eye(2)[None], Draws(np.zeros(1, np.uint64), 0), image=False)
        tensor([[[0., 1.],
                 [1., 0.]]])
    """

    batched: ClassVar[bool] = False

    def __init__(
        self, transform: Callable[[Tensor], Any], name: str | None = None, arguments: Mapping[str, Any] | None = None
    ) -> None:
        if not callable(transform):
            raise InputError(f"views: expected a view op or a callable, got {type(transform).__name__}")
        self.transform, self.name, self.arguments = transform, name, arguments

    def change(self, inputs: Tensor, draws: Draws, *, image: bool) -> Tensor:
        """Row after row.

        Raises:
            InputError: the transform returns another shape or type, or scales images to 0..1.
        """
        seeds = draws.bits(1)[:, 0].tolist()
        with _given_back():
            rows = [self._one(row, seed) for row, seed in zip(inputs, seeds, strict=True)]
        if not rows:
            return inputs
        views = torch.stack(rows)
        if image and len(views) >= _ROWS_TO_JUDGE_SCALE and _is_scaled(views) and inputs.max() > _LIT:
            raise InputError(
                f"views: {self} returns values up to 1; views stay in 0..255, and each model scales them itself: "
                "leave the scaling out (ToDtype without scale=True, no ToTensor)"
            )
        return views

    def _one(self, row: Tensor, seed: int) -> Tensor:
        _seed(seed)
        view = self._called(row.clone())
        if not isinstance(view, Tensor) or view.shape != row.shape:
            came = tuple(view.shape) if isinstance(view, Tensor) else type(view).__name__
            raise InputError(f"views: {self} returned {came}, expected a tensor of shape {tuple(row.shape)}")
        if view.dtype not in (torch.uint8, torch.float32):
            raise InputError(f"views: {self} returned {view.dtype}, expected torch.uint8 or torch.float32")
        return view.as_subclass(Tensor)

    def _called(self, row: Tensor) -> Any:  # noqa: ANN401 - judged by the caller
        if self.name is None:  # the user's own code: its own traceback says most
            return self.transform(row)
        try:
            return self.transform(row)
        except Exception as error:  # foreign code may raise anything
            what = f"{row.dtype} of shape {tuple(row.shape)}"
            raise InputError(f"views: {self.name} fails on examples of {what}: {error}") from error

    def settings(self) -> Mapping[str, Any]:
        """What the transform is, as far as it can be told from its representation, its name and its code."""
        own = {"transform": _identity(self.transform)}
        return own if self.name is None else {**own, "name": self.name, "arguments": dict(self.arguments or {})}

    def __repr__(self) -> str:
        return self.name or getattr(self.transform, "__name__", None) or type(self.transform).__name__


def _is_scaled(views: Tensor) -> bool:
    return views.is_floating_point() and 0 < views.max().item() <= 1


def _identity(transform: Any) -> str:  # noqa: ANN401 - any callable
    """Text that is the same in another process (no addresses), and differs where the transform does."""
    kind = type(transform)
    text = f"{kind.__module__}.{kind.__qualname__} {_ADDRESS.sub('', repr(transform))}"
    code = getattr(transform, "__code__", None)
    if code is None:
        return text
    constants = _ADDRESS.sub("", repr(code.co_consts))
    return f"{text} {fingerprint([code.co_code.hex(), constants, list(code.co_names)])}"


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - transforms may draw from the global state
    torch.default_generator.manual_seed(seed % 2**63)


@contextmanager
def _given_back() -> Iterator[None]:
    """The three global random states, as they were, after success or failure."""
    states = random.getstate(), np.random.get_state(), torch.default_generator.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.default_generator.set_state(states[2])
