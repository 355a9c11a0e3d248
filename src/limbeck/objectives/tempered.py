"""Logits before they are compared: standardised where that is asked for, then softened by a temperature."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.objectives.reduce import full_precision

FLOOR = 1e-3
"""Logits whose standard deviation is below this are as good as constant, and are divided by this instead."""


def standardized(logits: Float[Tensor, "b classes"]) -> Float[Tensor, "b classes"]:
    r"""`(z - mean(z)) / std(z)` of each row (logit standardization, Sun et al. 2024, arXiv 2403.01427, algorithm 1).

    What is left is the order and the relative distances of the logits: any `a z + b` with `a > 0` gives the same. The
    standard deviation is over classes, divided by their number; common code divides by one less, which is the same as
    a temperature that is larger by `sqrt(classes / (classes - 1))`. Where it is below `FLOOR` (a head that starts at
    zero), `FLOOR` stands in for it, so that value and gradient stay finite: a constant row becomes zeros.

    Example:
        >>> standardized(torch.tensor([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]))
        tensor([[-1.2247,  0.0000,  1.2247],
                [ 0.0000,  0.0000,  0.0000]])
    """
    logits = full_precision(logits)
    centred = logits - logits.mean(dim=1, keepdim=True)
    variance = centred.square().mean(dim=1, keepdim=True)
    return centred / variance.clamp(min=FLOOR**2).sqrt()


def log_probabilities(
    logits: Float[Tensor, "b classes"], temperature: float, standardize: bool = False
) -> Float[Tensor, "b classes"]:
    """`log softmax(z / T)` in full precision, of standardised logits where that is asked for.

    Args:
        logits: scores before the softmax.
        temperature: T > 0.
        standardize: whether `z` is standardised first.
    """
    return torch.log_softmax(_softened(logits, temperature, standardize), dim=1)


def probabilities(
    logits: Float[Tensor, "b classes"], temperature: float, standardize: bool = False
) -> Float[Tensor, "b classes"]:
    """`softmax(z / T)`, where logarithms are not needed; see `log_probabilities`."""
    return torch.softmax(_softened(logits, temperature, standardize), dim=1)


def _softened(logits: Tensor, temperature: float, standardize: bool) -> Tensor:
    logits = standardized(logits) if standardize else full_precision(logits)
    return logits / temperature if temperature != 1 else logits


def log_mixture(
    log_p: Float[Tensor, "b classes"], log_q: Float[Tensor, "b classes"], share: float
) -> Float[Tensor, "b classes"]:
    """`log(share p + (1 - share) q)`, to the last bit `log p` where both are equal; 0 < share < 1.

    Each entry starts from the larger of the two, so that nothing overflows; the sides of the seam have equal slopes.

    Example:
        >>> log_mixture(torch.zeros(1, 1), torch.zeros(1, 1), 0.25)
        tensor([[0.]])
    """
    ahead = (log_p >= log_q).detach()
    larger, smaller = torch.where(ahead, log_p, log_q), torch.where(ahead, log_q, log_p)
    of_smaller = share + (1 - 2 * share) * ahead.to(log_p.dtype)
    return larger + torch.log1p(of_smaller * torch.expm1(smaller - larger))


def divergence(log_p: Float[Tensor, "b classes"], log_q: Float[Tensor, "b classes"]) -> Float[Tensor, " b"]:
    """`KL(p || q)` of each row in nats, from log-probabilities."""
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)
