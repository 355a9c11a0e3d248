"""Two activations on one pixel grid, without learning anything: for objectives that compare maps."""

from torch import Tensor

from limbeck.errors import ModelError
from limbeck.objectives.bridges.layout import PREFIXES, layout
from limbeck.objectives.bridges.modules import resize, to_grid


def as_grid(features: Tensor, what: str, mask: Tensor | None = None) -> Tensor:
    """`(b, channels, rows, columns)`, of a grid or of tokens that are pixels of a square; leading tokens are left out.

    Args:
        features: with the batch axis.
        what: for the error.
        mask: the batch's: where there is one, tokens are a sequence with padding, which is no square of pixels.

    Raises:
        ModelError: there is no grid in it, or tokens have padding.

    Example:
        >>> import torch
        >>> as_grid(torch.zeros(2, 17, 8), "hint: the teacher's activation").shape
        torch.Size([2, 8, 4, 4])
    """
    found = layout(tuple(features.shape[1:]))
    if found is None or found.grid is None:
        leading = ", ".join(map(str, PREFIXES))
        raise ModelError(
            f"{what} has shape {tuple(features.shape[1:])}, which is no grid of pixels: expected (channels, rows, "
            f"columns), or (tokens, channels) with a square of tokens after {leading} leading ones; tap another layer"
        )
    if found.kind == "grid":
        return features
    if mask is not None:
        raise ModelError(
            f"{what}: the batch has padding, but {features.shape[1]} tokens were taken for pixels of a square; tap "
            "layers that give (channels, rows, columns), or use pkd or tinybert-hidden, which read sequences"
        )
    return to_grid(features, found.prefix, found.grid)


def common_grid(student: Tensor, teacher: Tensor, method: str, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Both as grids of the smaller one's size (in each axis), the larger averaged down.

    Raises:
        ModelError: one of them is no grid, or tokens with padding (the batch's `mask`).
    """
    mine = as_grid(student, f"{method}: the student's activation", mask)
    other = as_grid(teacher, f"{method}: the teacher's activation", mask)
    size = (min(mine.shape[2], other.shape[2]), min(mine.shape[3], other.shape[3]))
    return resize(mine, size), resize(other, size)
