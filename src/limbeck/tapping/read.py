"""`tapped`: reads activations while a model runs, and leaves it as it was found."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.hooks import RemovableHandle

from limbeck.errors import ModelError
from limbeck.tapping.layout import Counts, counted, refusal, unclear
from limbeck.tapping.match import Whose, located
from limbeck.tapping.path import Tap, arguments, tensor_at


@contextmanager
def tapped(model: nn.Module, paths: Sequence[str], *, whose: Whose = "model") -> Iterator[dict[str, Tensor]]:
    """Collects activations at named places for as long as the block lasts.

    Each is a copy, since a later layer may work in place on it; gradients flow through. The axes stay as the model has
    them: objectives turn maps whose channels stand last as they read them. A model that will be compiled
    must be tapped before its first compiled pass, which would not see the hooks otherwise.

    Args:
        model: any module, also one that `DistributedDataParallel` or `torch.compile` has wrapped (paths are those of
            the module inside); hooks are removed on leaving, whatever happens inside.
        paths: parts as in `model.named_modules()`, with side and steps: "layer2", "blocks.3:in", "encoder:out.0"; or
            patterns with one match each.
        whose: whom a run's recipe tapped, for what is said where there is no such part.

    Yields:
        Path, as it was given -> the tensor of the last forward pass; emptied when the next begins. Asking for what was
            not read is a `ModelError`.

    Raises:
        ModelError: there is no such part (at once); or, in the forward pass, no such tensor there, the part ran
            twice, or it is not clear where a map's channels stand (see `limbeck.tapping.layout`).

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> with tapped(net, ["0", "1:in"]) as read:
        ...     _ = net(torch.zeros(1, 2))
        >>> read["0"].shape, bool((read["0"] == read["1:in"]).all())
        (torch.Size([1, 3]), True)
    """
    model = bare(model)
    taps = [located(model, path, whose) for path in dict.fromkeys(paths)]
    pass_ = _Pass(counted(model) if taps else Counts())
    handles: list[RemovableHandle] = []
    try:
        if taps:
            handles += _watch(model, pass_)
        for tap in taps:
            handles.append(_hook(model.get_submodule(tap.part), tap, pass_))
        yield pass_.read
    finally:
        for handle in handles:
            handle.remove()


class _Read(dict[str, Tensor]):
    """What was read; what was not is answered."""

    def __missing__(self, path: str) -> Tensor:
        raise ModelError(
            f"tap {path!r}: nothing was read there, because the last pass did not run that part, the model was "
            "compiled before it was tapped, or the path is not among those tapped"
        )


class _Pass:
    """One forward pass of the whole model; parts that are called outside of one are read too."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.read = _Read()
        self.running = False

    def keep(self, tap: Tap, value: object) -> None:
        """Copies the tensor that a tap means."""
        if self.running and tap.path in self.read:
            raise ModelError(
                f"tap {tap.path!r}: {tap.part} runs more than once in a pass, so it is not clear which activation is "
                "meant; tap a part around one of its runs, or what comes next, with :in"
            )
        found = tensor_at(tap, value)
        shape = tuple(found.shape[1:])
        if tap.layout is None and unclear(shape, self.counts):
            raise refusal(tap.path, shape)
        self.read[tap.path] = found.clone()


def _watch(model: nn.Module, pass_: _Pass) -> Iterator[RemovableHandle]:
    """Hooks that say when a pass begins and ends."""

    def begin(module: nn.Module, _inputs: Any) -> None:  # noqa: ANN401 - a hook
        if module is model:  # a copy of a tapped model carries its hooks
            pass_.read.clear()
            pass_.running = True

    def end(module: nn.Module, _inputs: Any, _output: Any) -> None:  # noqa: ANN401
        if module is model:
            pass_.running = False

    yield model.register_forward_pre_hook(begin, prepend=True)
    yield model.register_forward_hook(end, always_call=True)


def _hook(part: nn.Module, tap: Tap, pass_: _Pass) -> RemovableHandle:
    def before(module: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
        if module is part:
            pass_.keep(tap, arguments(positional, named))

    def after(module: nn.Module, _inputs: Any, output: Any) -> None:  # noqa: ANN401
        if module is part:
            pass_.keep(tap, output)

    if tap.side == "in":
        return part.register_forward_pre_hook(before, with_kwargs=True)
    return part.register_forward_hook(after)


def bare(model: nn.Module) -> nn.Module:
    """The module inside of what distributes or compiles it, whose parts have the names that their owner knows."""
    while True:
        inside = model.module if isinstance(model, DistributedDataParallel) else getattr(model, "_orig_mod", None)
        if not isinstance(inside, nn.Module):
            return model
        model = inside
