"""The gradient of each row's loss by its input: what a model looks at, for objectives that compare it."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from limbeck.core.batch import Batch
from limbeck.errors import ModelError


def input_gradient(
    logits: Float[Tensor, "b classes"], inputs: Float[Tensor, "b *shape"], target: Int[Tensor, " b"], *, student: bool
) -> Float[Tensor, "b *shape"]:
    """Each row's gradient of its cross-entropy by its input.

    It is for whoever asks a model: give both models the same raw inputs, with `requires_grad`, and let each do its own
    preprocessing, so that both gradients are by the same numbers.

    Args:
        logits: computed from `inputs` with a graph.
        inputs: what the gradient is by.
        target: class indices.
        student: whether the result can be differentiated again; a teacher's cannot.

    Example:
        >>> pixels = torch.zeros(1, 2, requires_grad=True)
        >>> input_gradient(pixels * 4, pixels, torch.tensor([0]), student=False)
        tensor([[-2.,  2.]])
    """
    half = logits.dtype in (torch.float16, torch.bfloat16)
    loss = F.cross_entropy(logits.float() if half else logits, target, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, inputs, create_graph=student, retain_graph=True)
    return gradient


def asked_with_gradient(
    ask: Callable[[Tensor], Tensor], batch: Batch, *, student: bool
) -> tuple[Float[Tensor, "b classes"], Float[Tensor, "b *shape"]]:
    """Logits of a batch and each row's input gradient; rows without a label have that of class 0.

    Args:
        ask: raw inputs -> logits over the data's classes.
        batch: with labels.
        student: as in `input_gradient`.

    Raises:
        ModelError: the batch has no labels, or several inputs.
    """
    if batch.target is None or not isinstance(batch.inputs, Tensor):
        raise ModelError("input gradients need a labelled batch of one input tensor; leave gradient-attention out")
    target = batch.target if batch.target_mask is None else batch.target.masked_fill(~batch.target_mask, 0)
    with torch.enable_grad():
        raw = batch.inputs.detach().float().requires_grad_()
        logits = ask(raw)
        return logits, input_gradient(logits, raw, target, student=student)
