"""Batch normalisation over the rows of all processes, so that several train the model that one would.

Under data parallelism each process would normalise by its own share of a batch, and keep statistics of it. torch's own
remedy, `SyncBatchNorm`, refuses the CPU and puts other modules into the model. This one stands in for the function that
every batch normalisation calls, for the time of a forward pass, and leaves the model as it is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.overrides import TorchFunctionMode

from limbeck.core import processes


@contextmanager
def over_all_processes() -> Iterator[None]:
    """Within the block, batch normalisation in training mode takes its statistics over the rows of all processes.

    Yields:
        Nothing.
    """
    if processes.world() == 1:
        yield
        return
    with _Instead():
        yield


class _Instead(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        # here and not above the function: it touches the environment, which an import must not
        self.batch_norm: Callable[..., Tensor] = torch.compiler.disable(batch_norm)  # type: ignore[no-untyped-call]

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function gives
        del types
        if func is F.batch_norm and _trains(*args, **(kwargs or {})):
            return self.batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _trains(  # noqa: PLR0917 - torch's own signature and names, here and below: callers use them
    input: Tensor,  # noqa: A002
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> bool:
    del input, running_mean, running_var, weight, bias, momentum, eps
    return training


def batch_norm(  # noqa: PLR0917
    input: Float[Tensor, "b c ..."],  # noqa: A002
    running_mean: Float[Tensor, " c"] | None,
    running_var: Float[Tensor, " c"] | None,
    weight: Float[Tensor, " c"] | None = None,
    bias: Float[Tensor, " c"] | None = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Tensor, "b c ..."]:
    """`F.batch_norm` in training mode, with mean and variance over the rows of all processes.

    Their rows are pooled by `var = sum_r n_r (var_r + (mean_r - mean)^2) / n`, which stays exact where means are large.
    A compiled model is interrupted here: the processes meet.

    Args:
        input: this process's rows.
        running_mean: updated in place, alike in every process.
        running_var: likewise.
        weight: gain of each channel.
        bias: offset of each channel.
        training: true.
        momentum: share of the new statistics in the running ones.
        eps: added to the variance.

    Returns:
        This process's rows, normalised.
    """
    del training
    with torch.no_grad():
        mean, variance = torch.batch_norm_update_stats(input.float(), None, None, 0.0)
        count = mean.new_tensor([input.numel() // input.shape[1]])
        mean, variance, rows = _pooled(mean, variance, count)
        if running_mean is not None:
            running_mean.mul_(1 - momentum).add_(mean.to(running_mean.dtype), alpha=momentum)
        if running_var is not None:
            running_var.mul_(1 - momentum).add_((variance * rows / (rows - 1)).to(running_var.dtype), alpha=momentum)
    normalised: Tensor = _Normalise.apply(input, weight, bias, mean, variance, rows, eps)
    return normalised


def _pooled(mean: Tensor, variance: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    from torch import distributed

    own = torch.cat([mean, variance, count])
    every = [torch.empty_like(own) for _ in range(processes.world())]
    distributed.all_gather(every, own)
    means, variances, counts = torch.split(torch.stack(every), [len(mean), len(mean), 1], dim=1)
    shares = counts / counts.sum()
    mean = (shares * means).sum(0)
    return mean, (shares * (variances + (means - mean).square())).sum(0), counts.sum()


class _Normalise(torch.autograd.Function):
    """Rows of one process, with the statistics of all; its gradient hears of the others' rows too."""

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any,  # noqa: ANN401 - torch's own
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        rows: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance, rows)
        ctx.eps = eps
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight, mean, variance, rows = ctx.saved_tensors
        scale = (variance + ctx.eps).rsqrt()
        dy, gain = gradients[0].float(), scale if weight is None else scale * weight.float()
        _, *own = torch.ops.aten.native_batch_norm_backward(  # its kernels sum many times faster than reductions do
            dy, x.float(), torch.ones_like(mean), None, None, mean, scale, True, ctx.eps, [False, True, True]
        )
        slope, offset = processes.add_up(torch.stack(own)) / rows
        # gain * (dy - offset - (x - mean) * scale * slope), in two passes
        of_x = -gain * scale * slope
        rest = gain * (mean * scale * slope - offset)
        broadcast = (1, -1, *(1,) * (x.ndim - 2))
        dx = torch.addcmul(rest.view(broadcast), x.float(), of_x.view(broadcast)).addcmul_(dy, gain.view(broadcast))
        dweight, dbias = (None, None) if weight is None else (each.to(weight.dtype) for each in own)
        return dx.to(x.dtype), dweight, dbias, None, None, None, None
