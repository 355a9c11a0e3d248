"""Soft targets from a teacher that was written down in part: its largest logits, or classes drawn from it.

Two questions decide which objective may read which signal: does the value stay what it was, and does the gradient?
The answers are the table `SUPPORT` in `limbeck.objectives.support`.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.objectives.reduce import full_precision


def soft_targets_top_rows(
    student_logits: Float[Tensor, "b classes"],
    index: Int[Tensor, "b k"],
    teacher_logits: Float[Tensor, "b k"],
    teacher_tail: Float[Tensor, " b"],
    temperature: float,
) -> Float[Tensor, " b"]:
    r"""`T^2` times the KL divergence after all classes outside the top `k` have been put into one bucket.

    With `P_i`, `S_i` the tempered probabilities of the `k` named classes and `P_0`, `S_0` the mass of all others, it is
    `T^2 (sum_i P_i log(P_i / S_i) + P_0 log(P_0 / S_0))`. By the log-sum inequality this is never more than the full
    divergence, and equal to it where teacher and student divide the tail in the same proportions: a lower bound.

    Args:
        student_logits: scores of all classes.
        index: the teacher's top classes.
        teacher_logits: their logits.
        teacher_tail: `logsumexp(z_j / T)` of the teacher over the other classes, at this temperature; -inf: none left.
        temperature: T > 0.

    Returns:
        One non-negative value a row.

    Example:
        >>> student, teacher = torch.zeros(1, 3), torch.tensor([[2.0, 0.0, 0.0]])
        >>> tail = torch.logsumexp(teacher[:, 1:], dim=1)
        >>> soft_targets_top_rows(student, torch.tensor([[0]]), teacher[:, :1], tail, 1.0)
        tensor([0.4330])
    """
    index = index.long()
    tempered = full_precision(student_logits) / temperature
    whole = torch.logsumexp(tempered, dim=1, keepdim=True)
    log_student = tempered.gather(1, index) - whole
    rest = tempered.scatter(1, index, -torch.inf)
    log_student_tail = _logsumexp(rest) - whole.squeeze(1)
    teacher_tail = teacher_tail.detach()
    named = full_precision(teacher_logits.detach()) / temperature
    all_of_it = torch.logaddexp(torch.logsumexp(named, dim=1), teacher_tail)
    log_teacher, log_teacher_tail = named - all_of_it[:, None], teacher_tail - all_of_it
    tail = _safe_term(log_teacher_tail, log_student_tail)
    return temperature**2 * ((log_teacher.exp() * (log_teacher - log_student)).sum(dim=1) + tail)


def soft_targets_sampled_rows(
    student_logits: Float[Tensor, "b classes"],
    index: Int[Tensor, "b draws"],
    entropy: Float[Tensor, " b"],
    temperature: float,
) -> Float[Tensor, " b"]:
    r"""`T^2 (mean over draws of -log S_drawn, minus the teacher's entropy)`: unbiased for `T^2 KL(teacher || student)`.

    Classes are drawn from the teacher's tempered distribution with replacement, so the mean over draws is an unbiased
    estimate of the cross-entropy, and its gradient of the gradient (random sampling KD, arXiv 2503.16870). A single
    value may be negative; over many draws it tends to the divergence.

    Args:
        student_logits: scores of all classes.
        index: drawn classes.
        entropy: of the teacher's distribution at this temperature, nats.
        temperature: T > 0, the one they were drawn at.

    Returns:
        One value a row.

    Example:
        >>> soft_targets_sampled_rows(torch.zeros(1, 4), torch.tensor([[0, 3]]), torch.tensor([1.0]), 1.0)
        tensor([0.3863])
    """
    log_student = torch.log_softmax(full_precision(student_logits) / temperature, dim=1)
    return temperature**2 * (-log_student.gather(1, index.long()).mean(dim=1) - entropy.detach())


def _logsumexp(values: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """`logsumexp` whose gradient is 0, not NaN, where every value of a row is -inf."""
    top = values.detach().amax(dim=1, keepdim=True)
    safe = torch.where(torch.isfinite(top), top, torch.zeros_like(top))
    total = (values - safe).exp().sum(dim=1)
    some = total > 0
    return torch.where(some, torch.where(some, total, torch.ones_like(total)).log() + safe.squeeze(1), -torch.inf)


def _safe_term(log_p: Float[Tensor, " b"], log_s: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    """`p log(p / s)`, 0 where the teacher's tail is empty."""
    some = torch.isfinite(log_p) & torch.isfinite(log_s)
    p, s = torch.where(some, log_p, 0.0), torch.where(some, log_s, 0.0)
    return torch.where(some, p.exp() * (p - s), torch.zeros_like(p))
