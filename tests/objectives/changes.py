"""Changes of what a side says, of which a case declares those that leave its value alone."""

from dataclasses import replace

import torch

from .worlds import mapped


def scaled(tensor):
    return 3 * tensor


def shifted(tensor):
    """A constant of its own for every row."""
    return tensor + torch.arange(1.0, len(tensor) + 1, dtype=tensor.dtype).reshape(-1, *[1] * (tensor.ndim - 1))


def stretched(tensor):
    """A positive factor of its own for every row."""
    return tensor * torch.arange(1.0, len(tensor) + 1, dtype=tensor.dtype).reshape(-1, *[1] * (tensor.ndim - 1))


def moved(tensor):
    """All rows by one vector."""
    return tensor + torch.linspace(1, 2, tensor[0].numel(), dtype=tensor.dtype).reshape(tensor.shape[1:])


def swapped(tensor):
    """Channels in another order."""
    return tensor.flip(1) if tensor.ndim == 4 else tensor.flip(2)


def mirrored(tensor):
    """Positions in the opposite order, of grids and tokens; what has none stays."""
    return tensor.flip(2, 3) if tensor.ndim == 4 else tensor.flip(1) if tensor.ndim == 3 else tensor


def negated(tensor):
    return -tensor


def reversed_classes(tensor):
    return tensor.flip(1)


def turned(tensor):
    """A rotation: of the axes of what is flattened."""
    flat = tensor.flatten(1)
    return (flat @ rotation(flat.shape[1])).reshape(tensor.shape)


def tokens_turned(tensor):
    """Each token alike, wherever it stands."""
    return tensor @ rotation(tensor.shape[2])


def heads_turned(heads):
    """Each of so many parts of a token's width by itself."""

    def change(tensor):
        parts = tensor.reshape(*tensor.shape[:2], heads, -1)
        return (parts @ rotation(parts.shape[3])).reshape(tensor.shape)

    return change


def rotation(size):
    random = torch.Generator().manual_seed(3)
    return torch.linalg.qr(torch.randn(size, size, generator=random, dtype=torch.float64)).Q


def together(change):
    """Of both sides alike."""

    def changed(world):
        def floats(tensor):
            return change(tensor) if tensor.is_floating_point() else tensor

        return replace(world, student=mapped(world.student, floats), teacher=mapped(world.teacher, floats))

    return changed


def positions_mirrored(world):
    """Of both sides and of the mask."""
    mask = world.batch.mask
    batch = world.batch if mask is None else replace(world.batch, mask=mask.flip(1))
    return replace(together(mirrored)(world), batch=batch)
