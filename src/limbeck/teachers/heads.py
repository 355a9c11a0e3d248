"""The head of a classifier: found, replaced for other classes, and trained alone or with the rest."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from limbeck.core.outputs import inner
from limbeck.errors import ModelError


class Adapted(nn.Module):
    """A model with a new head, while it is being trained.

    Args:
        model: with the new head in place.
        heads: paths of the new layers in `model`.
        frozen: nothing but the heads is trained: the rest stays in eval mode, so that its statistics stay too.
    """

    def __init__(self, model: nn.Module, heads: tuple[str, ...], *, frozen: bool) -> None:
        super().__init__()
        self.model, self.heads, self.frozen = model, heads, frozen
        if frozen:
            model.requires_grad_(requires_grad=False)
            for head in self.layers():
                head.requires_grad_(requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the new classes."""
        logits: Tensor = self.model(x)
        return logits

    def layers(self) -> list[nn.Module]:
        """The new layers."""
        return [inner(self.model).get_submodule(path) for path in self.heads]

    def train(self, mode: bool = True) -> "Adapted":
        """Training mode, for what is trained."""
        super().train(mode)
        if self.frozen and mode:
            self.model.eval()
            for head in self.layers():
                head.train(mode)
        return self


class Probe(nn.Module):
    """A linear classifier on what a black box gives.

    Args:
        model: its outputs `(b, features)` are taken as features.
        features: how many.
        outputs: classes.
    """

    def __init__(self, model: nn.Module, features: int, outputs: int) -> None:
        super().__init__()
        self.model = model
        self.head = nn.Linear(features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the new classes."""
        logits: Tensor = self.head(self.model(x).float())
        return logits


def heads_of(module: nn.Module, path: str | None = None) -> tuple[str, ...]:
    """Paths of the layers that give a classifier's logits.

    Args:
        module: a classifier.
        path: where the user says it is; `None`: what the module itself calls its classifier (timm), else the last
            linear layer.

    Returns:
        At least one path.

    Raises:
        ModelError: there is nothing at `path` that could be replaced, or no linear layer at all.

    Example:
        >>> heads_of(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)))
        ('2',)
    """
    parts = dict(module.named_modules())
    if path is not None:
        if not isinstance(parts.get(path), nn.Linear | nn.Conv2d | nn.Identity):
            kind = type(parts[path]).__name__ if path in parts else "nothing"
            raise ModelError(f"teacher.adapt.head: {path!r} is {kind}, expected a linear layer or a 1 x 1 convolution")
        return (path,)
    get = getattr(module, "get_classifier", None)
    if callable(get):
        own = get()
        own = own if isinstance(own, tuple | list) else (own,)
        found = tuple(place for place, part in parts.items() if any(part is each for each in own))
    else:
        found = tuple([place for place, part in parts.items() if isinstance(part, nn.Linear)][-1:])
    if not found:
        raise ModelError(
            "teacher.adapt: the teacher has no linear layer to replace; name its head in teacher.adapt.head"
        )
    return found


def replace_heads(module: nn.Module, outputs: int, path: str | None = None) -> tuple[str, ...]:
    """Puts fresh layers for `outputs` classes in the place of a classifier's head; seed the generator before.

    Args:
        module: changed in place.
        outputs: classes.
        path: see `heads_of`.

    Returns:
        Paths of the new layers.

    Raises:
        ModelError: see `heads_of`.
    """
    reset = getattr(module, "reset_classifier", None)
    if path is None and callable(reset):
        reset(outputs)
        return heads_of(module)
    paths = heads_of(module, path)
    for place in paths:
        module.set_submodule(place, _like(module.get_submodule(place), outputs, place))
    return paths


def _like(old: nn.Module, outputs: int, path: str) -> nn.Module:
    if isinstance(old, nn.Linear):
        return nn.Linear(old.in_features, outputs, bias=old.bias is not None)
    if isinstance(old, nn.Conv2d) and old.kernel_size == (1, 1) and old.groups == 1:
        return nn.Conv2d(old.in_channels, outputs, 1, bias=old.bias is not None)
    raise ModelError(f"teacher.adapt.head: {path!r} is {old}, expected a linear layer or a 1 x 1 convolution")


@contextmanager
def features_of(adapted: Adapted) -> Iterator[list[Tensor]]:
    """Collects what the head reads for as long as the block lasts: one tensor a forward pass.

    Args:
        adapted: with one head.

    Yields:
        A list that grows.
    """
    read: list[Tensor] = []
    (head,) = adapted.layers()
    handle = head.register_forward_pre_hook(lambda _module, inputs: read.append(inputs[0].detach().clone()))
    try:
        yield read
    finally:
        handle.remove()
