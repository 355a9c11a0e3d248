"""`Views`: augmented versions of examples, each a function of (view seed, example id, view number) and nothing else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from limbeck.core.identity import fingerprint
from limbeck.data.draws import Draws, streams
from limbeck.data.gather import AxisMap, after, moved
from limbeck.data.mixing import Mixing
from limbeck.data.per_example import PerExample
from limbeck.data.source import InputSpec
from limbeck.data.view_ops import Geometric, Pixelwise, need_images
from limbeck.errors import InputError

VIEW_OPS: Mapping[str, str] = {
    "shift": "limbeck.data.view_ops:Shift",
    "flip": "limbeck.data.view_ops:Flip",
    "crop": "limbeck.data.view_ops:Crop",
    "erase": "limbeck.data.view_ops:Erase",
    "noise": "limbeck.data.view_ops:Noise",
    "mixup": "limbeck.data.mixing:Mixup",
    "cutmix": "limbeck.data.mixing:CutMix",
    "v2": "limbeck.data.torchvision_op:v2",
}
"""Names in recipes; the settings are the constructors' arguments."""

ViewOp = Geometric | Pixelwise | Mixing

_VERSION = 1
"""Part of the fingerprint: raised when the same settings come to mean other views."""


def op_named(name: str, **settings: Any) -> ViewOp:  # noqa: ANN401 - the constructor checks them
    """A built-in op by its recipe name.

    Raises:
        InputError: no such op, or settings that it does not take.

    Example:
        >>> op_named("shift", pixels=3)
        Shift(pixels=3, fill=0.0)
    """
    if name not in VIEW_OPS:
        raise InputError(f"views: {name!r} is no view; use one of: {', '.join(VIEW_OPS)}")
    module, attribute = VIEW_OPS[name].split(":")
    try:
        op = getattr(import_module(module), attribute)(**settings)
    except TypeError as error:
        raise InputError(f"views: {name}: {error}") from error
    assert isinstance(op, Geometric | Pixelwise | Mixing)
    return op


@dataclass(frozen=True)
class Views:
    """A chain of ops; without ops the raw examples themselves.

    All views are augmented: there is no clean one among them. Evaluation uses none.

    Attributes:
        ops: applied in order. Callables that are no ops (torchvision v2 transforms) are wrapped in `PerExample`.
        seed: the view seed, independent of the training seed.
        count: how many views an example has: pass 0, 1, ... shows view 0, 1, ..., count - 1, 0, ...; `None`: every
            pass shows a new one.
    """

    ops: tuple[ViewOp | Callable[[Tensor], Tensor], ...] = ()
    seed: int = 0
    count: int | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise InputError(
                f"views: count: expected at least 1 view an example, or none for a new one each pass, got {self.count}"
            )
        if any(isinstance(op, Mixing) for op in self.ops[:-1]):
            raise InputError("views: mixup or cutmix must be the last op, and there can be only one of them")

    @property
    def path(self) -> str:
        """Which way is taken: "batched" when every op does all rows at once, else "per-example"."""
        return "per-example" if self._slow() else "batched"

    @property
    def note(self) -> str | None:
        """A line for the user where views will be slow."""
        slow = self._slow()
        if not slow:
            return None
        fast = ", ".join(name for name in VIEW_OPS if name != "v2")
        return (
            f"views: {', '.join(map(repr, slow))} runs one example at a time, which can take longer than the training "
            f"step itself; the built-in views ({fast}) do a batch at once"
        )

    @cached_property
    def _chain(self) -> tuple[Geometric | Pixelwise, ...]:
        alone = self.ops if self.mixing is None else self.ops[:-1]
        return tuple(op if isinstance(op, Geometric | Pixelwise) else PerExample(_transform(op)) for op in alone)

    @property
    def mixing(self) -> Mixing | None:
        """The op that mixes two examples, if there is one; `apply` leaves it to `Viewed`."""
        last = self.ops[-1] if self.ops else None
        return last if isinstance(last, Mixing) else None

    @cached_property
    def _plan(self) -> tuple["_Move | tuple[int, Pixelwise]", ...]:
        return tuple(_steps(self._chain))

    def _slow(self) -> list[Pixelwise]:
        return [op for op in self._chain if isinstance(op, Pixelwise) and not op.batched]

    def view_number(self, pass_number: int) -> int:
        """Which view the pass shows; always 0 without ops, since all views are then the same."""
        if not self.ops:
            return 0
        return pass_number if self.count is None else pass_number % self.count

    def apply(self, inputs: Tensor, ids: Int[Tensor, " b"], views: Int[Tensor, " b"]) -> Tensor:
        """The views of raw inputs, row for row.

        Args:
            inputs: `(b, *shape)`; images are uint8. They are left as they are.
            ids: example ids.
            views: view numbers.

        Returns:
            The same shape. Images stay in 0..255; they stay uint8 unless an op mixes or adds noise (float32).

        Raises:
            InputError: an op does not fit such inputs.
        """
        if not self.ops or not len(inputs):
            return inputs
        of_rows = streams(self.seed, ids.cpu().numpy(), views.cpu().numpy())
        image = inputs.dtype == torch.uint8
        for step in self._plan:
            if isinstance(step, _Move):
                inputs = step.apply(inputs, of_rows)
            else:
                inputs = step[1].change(inputs, Draws(of_rows, step[0]), image=image)
        return inputs

    def check(self, spec: InputSpec) -> None:
        """Tries the ops on two made-up examples of that spec.

        Raises:
            InputError: an op does not fit them.
        """
        inputs = torch.zeros((2, *spec.shape), dtype=getattr(torch, spec.dtype))
        views = self.apply(inputs, torch.arange(2), torch.zeros(2, dtype=torch.int64))
        if views.shape != inputs.shape:
            raise InputError(
                f"views: {tuple(views.shape[1:])} came out of {tuple(inputs.shape[1:])}; views must keep the shape"
            )

    def fingerprint(self) -> str:
        """SHA-256 over ops, settings, seed, count and the path that is taken."""
        chain: list[ViewOp] = [*self._chain, *([] if self.mixing is None else [self.mixing])]
        ops = [[type(op).__name__, dict(op.settings())] for op in chain]
        return fingerprint([_VERSION, self.path, self.seed, self.count, ops])


@dataclass(frozen=True)
class _Move:
    """Neighbouring geometric ops with one fill: one gather."""

    ops: tuple[tuple[int, Geometric], ...]
    fill: float

    def apply(self, images: Tensor, of_rows: Any) -> Tensor:  # noqa: ANN401 - uint64 (b,)
        need_images(images, type(self.ops[0][1]).__name__.lower())
        height, width = images.shape[-2:]
        rows: AxisMap | None = None
        columns: AxisMap | None = None
        for index, op in self.ops:
            more_rows, more_columns = op.maps(Draws(of_rows, index), height, width)
            rows, columns = after(rows, more_rows), after(columns, more_columns)
        return moved(images, rows, columns, self.fill)


def _transform(op: ViewOp | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    assert callable(op), "ops are built-in, or callables"
    return op


def _steps(ops: Sequence[Geometric | Pixelwise]) -> Iterator[_Move | tuple[int, Pixelwise]]:
    """The ops with their places, neighbouring moves put together."""
    moves: list[tuple[int, Geometric]] = []
    fill: float | None = None
    for index, op in enumerate(ops):
        if not isinstance(op, Geometric):
            if moves:
                yield _Move(tuple(moves), fill or 0.0)
            moves, fill = [], None
            yield index, op
            continue
        if moves and None not in (fill, op.fill) and fill != op.fill:
            yield _Move(tuple(moves), fill or 0.0)
            moves, fill = [], None
        moves.append((index, op))
        fill = op.fill if fill is None else fill
    if moves:
        yield _Move(tuple(moves), fill or 0.0)
