"""What objectives on relations between rows share: which rows are there, how pairs weigh, directions."""

from math import inf

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.errors import ModelError


def relatives(
    student: Tensor, teacher: Tensor, weight: Tensor | None, method: str
) -> tuple[Float[Tensor, "b s"], Float[Tensor, "b t"], Float[Tensor, " b"], Bool[Tensor, " b"]]:
    """Both sides as one vector a row, zeros where a row does not count; each row's weight, and whether it counts.

    Args:
        student: any shape whose first axis is the batch.
        teacher: likewise; the sides may differ in everything but the number of rows.
        weight: one number a row; `None` means all ones. Rows of weight 0 take part in no relation.
        method: for the error.

    Returns:
        Student, teacher (without gradient), weights, and true where a row counts.

    Raises:
        ModelError: the sides or the weights have not the same number of rows.
    """
    rows = len(student)
    if len(teacher) != rows or (weight is not None and weight.shape != (rows,)):
        beside = "" if weight is None else f" and weights of shape {tuple(weight.shape)}"
        raise ModelError(
            f"{method} relates rows: the student gives {rows}, the teacher {len(teacher)}{beside}; give both the same"
        )
    mine, other = student.reshape(rows, -1), teacher.detach().reshape(rows, -1)
    if weight is None:
        ones = torch.ones(rows, dtype=mine.dtype, device=mine.device)
        return mine, other, ones, ones > 0
    counts = weight > 0
    return torch.where(counts[:, None], mine, 0), torch.where(counts[:, None], other, 0), weight.to(mine.dtype), counts


def others(counts: Bool[Tensor, " b"]) -> Bool[Tensor, "b b"]:
    """True for pairs of two different rows that both count."""
    return counts[:, None] & counts & ~torch.eye(len(counts), dtype=torch.bool, device=counts.device)


def mean_over(values: Tensor, weight: Tensor) -> Float[Tensor, ""]:
    """`sum(w v) / sum(w)` over everything; 0, with zero gradient, where nothing weighs."""
    total = weight.sum()
    return (weight * torch.where(weight > 0, values, 0)).sum() / torch.where(total > 0, total, 1)


def mean_over_pairs(values: Float[Tensor, "b b"], weight: Float[Tensor, " b"]) -> Float[Tensor, ""]:
    """The mean where a pair weighs as the product of its rows; 0 where nothing weighs. Values are finite."""
    share = weight * inverse(weight.sum())
    return (values @ share) @ share


def unit(vectors: Tensor, dim: int = -1, eps: float = 1e-12) -> Tensor:
    """Vectors of length 1; those shorter than `eps` become 0, with zero gradient, instead of blowing up."""
    length = torch.linalg.vector_norm(vectors, dim=dim, keepdim=True)
    return vectors * inverse(length, eps)


def cosines(rows: Float[Tensor, "b d"]) -> Float[Tensor, "b b"]:
    """Cosines between all rows, 0 for a row that is 0, from one product; what is scaled is the smaller of both."""
    if rows.shape[1] <= len(rows):
        directions = unit(rows)
        return directions @ directions.T
    gram = rows @ rows.T
    scale = inverse_root(gram.diagonal())
    return gram * scale[:, None] * scale


def differences(rows: Float[Tensor, "b d"]) -> tuple[Float[Tensor, "b b"], Float[Tensor, "b b"]]:
    """Products of rows about their mean, and squared distances between rows, from one product.

    Distances that rounding cannot tell from 0 are 0, with zero gradient: such rows are the same point.
    """
    centred = rows - rows.mean(dim=0)
    gram = centred @ centred.T
    lengths = gram.diagonal()
    both = lengths[:, None] + lengths
    squared = both - 2 * gram
    known = squared > 8 * torch.finfo(rows.dtype).eps * both
    return gram, torch.where(known, squared, 0)


def inverse(lengths: Tensor, eps: float = 0.0) -> Tensor:
    """`1 / x`, and 0 with zero gradient where x is at most `eps`."""
    return F.threshold(lengths, eps, inf).reciprocal()


def inverse_root(squares: Tensor) -> Tensor:
    """`1 / sqrt(x)`, and 0 with zero gradient where x is 0."""
    return F.threshold(squares, 0.0, inf).rsqrt()
