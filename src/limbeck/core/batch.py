"""`Batch`: what a model is asked about in one step."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Inputs = Tensor | Mapping[str, Tensor]
"""One tensor, or tensors by name for models with several inputs; the first axis is always the batch."""


@dataclass(frozen=True, slots=True)
class Mix:
    """The other half of mixed views (mixup, CutMix).

    Attributes:
        share: of each row that is its own, 0..1; the rest is its partner's.
        target: the partner's class index.
        target_mask: true where the partner is labelled; `None` means all are.
    """

    share: Float[Tensor, " b"]
    target: Int[Tensor, " b"]
    target_mask: Bool[Tensor, " b"] | None = None

    def to(self, device: torch.device | str) -> Self:
        """The same on `device`."""
        mask = None if self.target_mask is None else self.target_mask.to(device, non_blocking=True)
        share, target = self.share.to(device, non_blocking=True), self.target.to(device, non_blocking=True)
        return replace(self, share=share, target=target, target_mask=mask)

    def rows(self, which: slice) -> Self:
        """Some of the rows."""
        mask = None if self.target_mask is None else self.target_mask[which]
        return replace(self, share=self.share[which], target=self.target[which], target_mask=mask)


@dataclass(frozen=True, slots=True)
class Batch:
    """Views of examples, with what is known about them.

    Attributes:
        ids: 64-bit example ids.
        views: which augmented version of each example this is (0, 1, ...).
        inputs: the *views themselves*, raw: images are NCHW in 0..255 (uint8, or float32 after a view that mixes
            or adds noise). Each model applies its own preprocessing.
        target: class index (multiclass), or what the task says; undefined where `target_mask` is false.
        target_mask: true where the example is labelled; `None` means all are.
        mask: true where a position of a sequence is real; `None` where inputs have no padding.
        weight: weight of each row in means; zero for rows that only pad a batch; `None` means all ones.
        mix: what each row is mixed with; `None` where views do not mix.
    """

    ids: Int[Tensor, " b"]
    views: Int[Tensor, " b"]
    inputs: Inputs
    target: Tensor | None = None
    target_mask: Bool[Tensor, " b"] | None = None
    mask: Tensor | None = None
    weight: Float[Tensor, " b"] | None = None
    mix: Mix | None = None

    def __len__(self) -> int:
        return int(self.ids.shape[0])

    def to(self, device: torch.device | str) -> Self:
        """The same batch on `device`; the one place where a batch is moved."""
        moved: dict[str, Any] = {field.name: _moved(getattr(self, field.name), device) for field in fields(self)}
        return replace(self, **moved)

    def rows(self, which: slice) -> Self:
        """Some of the rows, as a batch that shares memory with this one.

        Example:
            >>> ids = torch.arange(4)
            >>> Batch(ids, torch.zeros(4, dtype=torch.int64), torch.ones(4, 1)).rows(slice(1, 3)).ids
            tensor([1, 2])
        """
        some: dict[str, Any] = {field.name: _some(getattr(self, field.name), which) for field in fields(self)}
        return replace(self, **some)


def _moved(value: Inputs | Mix | None, device: torch.device | str) -> Inputs | Mix | None:
    if value is None:
        return None
    if isinstance(value, Mix):
        return value.to(device)
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    return {name: tensor.to(device, non_blocking=True) for name, tensor in value.items()}


def _some(value: Inputs | Mix | None, which: slice) -> Inputs | Mix | None:
    if value is None:
        return None
    if isinstance(value, Mix):
        return value.rows(which)
    return value[which] if isinstance(value, Tensor) else {name: tensor[which] for name, tensor in value.items()}
