"""Taps: named places inside a model whose activations are read. The model is left as it was found."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn

from limbeck.errors import ModelError


@contextmanager
def tapped(model: nn.Module, paths: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Collects the outputs of named submodules for as long as the block lasts.

    Args:
        model: any module; hooks are removed on leaving, whatever happens inside.
        paths: as in `model.named_modules()`: "layer2", "blocks.3.attn".

    Yields:
        Path -> the output of the last forward pass; filled anew at each.

    Raises:
        ModelError: there is no such submodule, or its output is not one tensor.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> with tapped(net, ["0"]) as read:
        ...     _ = net(torch.zeros(1, 2))
        >>> read["0"].shape
        torch.Size([1, 3])
    """
    modules = dict(model.named_modules())
    _check(paths, modules)
    read: dict[str, Tensor] = {}

    def reader(path: str) -> Any:  # noqa: ANN401 - a hook
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:  # noqa: ANN401
            if not isinstance(output, Tensor):
                raise ModelError(
                    f"tap {path!r}: its output is a {type(output).__name__}, expected one tensor; tap deeper"
                )
            read[path] = output.clone()  # a later layer may work in place on it

        return hook

    handles = [modules[path].register_forward_hook(reader(path)) for path in dict.fromkeys(paths)]
    try:
        yield read
    finally:
        for handle in handles:
            handle.remove()


def _check(paths: Sequence[str], modules: Mapping[str, nn.Module]) -> None:
    for path in paths:
        if path not in modules or not path:
            near = get_close_matches(path, [name for name in modules if name], n=3, cutoff=0.3)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise ModelError(f"tap {path!r}: the model has no such part{hint}")
