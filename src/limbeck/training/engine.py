"""What accelerate does for the loop: device, mixed precision, and the step across processes."""

import gc
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.optim import Optimizer

from limbeck.core import processes
from limbeck.core.batch import Inputs
from limbeck.core.runtime import Runtime
from limbeck.errors import ModelError
from limbeck.training import batch_norm, sharded
from limbeck.training.compiled import compile_forward

_TRACES = ("forward", "_is_accelerate_prepared", "_is_torch_compile")
"""What accelerate leaves on a module."""


class Engine:
    """A model prepared for its device, and how to take a step.

    Args:
        runtime: device and precision.
        model: moved to the device; convolutional weights become channels-last.
        objective: moved to the device.
        compiled: whether the forward pass goes through `torch.compile`.
    """

    def __init__(self, runtime: Runtime, model: nn.Module, objective: nn.Module, *, compiled: bool = False) -> None:
        self.accelerator = _accelerator(runtime, model)
        self.device = self.accelerator.device
        convolutional = any(isinstance(module, nn.Conv2d) for module in model.modules())
        self.contiguous = convolutional and self.device.type == "cpu" and _corrupts_memory(model)
        self.channels_last = convolutional and not self.contiguous
        if self.channels_last:
            model.to(memory_format=torch.channels_last)
        self.own = frozenset(model.__dict__)
        self.objective = objective.to(self.device)
        self.plain = model
        self.spread = processes.world() > 1 and runtime.strategy == "fsdp"
        if self.spread:
            copied = sharded.sharded(model.to(self.device), self.device)
            self.model: nn.Module = self.accelerator.prepare_model(copied, evaluation_mode=True)  # not wrapped twice
        else:
            self.model = self.accelerator.prepare_model(model)
        self.call: Callable[[Inputs], object] = self.model
        self.note: str | None = None
        if compiled:
            self.call, self.note = compile_forward(self.model, self.device)

    @property
    def trained(self) -> nn.Module:
        """The module whose parameters the optimiser moves: the model, or its copy that is spread over processes."""
        return self.model if self.spread else self.plain

    def settle(self) -> None:
        """The plain model gets the weights of a spread one; every process must ask."""
        if self.spread:
            sharded.gather_into(self.plain, self.model)

    def spread_again(self) -> None:
        """The inverse of `settle`, after the plain model was changed."""
        if self.spread:
            sharded.scatter_from(self.plain, self.model)

    def prepare(self, optimiser: Optimizer) -> Optimizer:
        """The optimiser, aware of loss scaling and of other processes."""
        prepared: Optimizer = self.accelerator.prepare_optimizer(optimiser)
        return prepared

    def forward(self, inputs: Inputs) -> Tensor:
        """Logits in float32.

        Raises:
            ModelError: the model gave something else than one tensor of logits.
        """
        if self.channels_last and isinstance(inputs, Tensor) and inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        elif self.contiguous and isinstance(inputs, Tensor):  # one channel is in both layouts; convolutions may guess
            inputs = inputs.clone(memory_format=torch.contiguous_format)
        with batch_norm.over_all_processes():
            logits = self.call(inputs)
        if not isinstance(logits, Tensor):
            raise ModelError(
                f"the student must return one tensor of logits, it returned {type(logits).__name__}; "
                "wrap it in a module that returns the logits"
            )
        return logits

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of `loss` to what is there."""
        self.accelerator.backward(loss)

    def descend(self, optimiser: Optimizer, clip_norm: float | None) -> None:
        """One optimiser step down the gradient that was gathered."""
        self._average_bridges()
        if clip_norm is not None:
            parameters = [p for group in optimiser.param_groups for p in group["params"]]
            self.accelerator.clip_grad_norm_(parameters, clip_norm)
        optimiser.step()

    def _average_bridges(self) -> None:
        """The objective's own gradients, averaged over the processes as those of the model are."""
        if processes.world() > 1:
            for parameter in self.objective.parameters():
                if parameter.grad is not None:
                    processes.add_up(parameter.grad).div_(processes.world())

    def scaler(self) -> Mapping[str, Any] | None:
        """State of the float16 loss scaler, if there is one."""
        return None if self.accelerator.scaler is None else self.accelerator.scaler.state_dict()

    def load_scaler(self, state: Mapping[str, Any] | None) -> None:
        """The inverse of `scaler`."""
        if state is not None and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(dict(state))

    def release(self, model: nn.Module) -> None:
        """Takes accelerate's wrapping off the model again."""
        if self.call is not self.model:
            torch.compiler.reset()  # each training compiles anew, and there is a limit to how often one class may
        self.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
        for trace in _TRACES:  # else the next stage would run without its precision
            if trace not in self.own:
                model.__dict__.pop(trace, None)
        self.model = model
        if processes.world() > 1:
            gc.collect()  # the wrapping's hooks on the parameters go with it, before the next stage is wrapped
        if self.device.type != "cpu":  # it also collects garbage: a fifth of a second, more than a small training takes
            self.accelerator.free_memory()


def _in_parallel(model: nn.Module) -> DistributedDataParallelKwargs:
    """How the processes keep together: gradients are averaged; what batch normalisation counts is alike anyway.

    Parameters that take no part in some step are allowed, as in one process. Buffers of other layers follow the main
    process's.
    """
    normal = tuple(module for module in model.modules() if isinstance(module, nn.modules.batchnorm._NormBase))  # noqa: SLF001
    counted = {buffer for module in normal for buffer in module.buffers(recurse=False)}
    kept = set(model.state_dict())
    others = any(buffer not in counted for name, buffer in model.named_buffers() if name in kept)
    warnings.filterwarnings("ignore", message=".*`broadcast_buffers` is deprecated.*")  # accelerate knows no other name
    return DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=others)


def _corrupts_memory(model: nn.Module) -> bool:
    """Whether the weight gradient of some layer writes past its buffer in channels-last layout on the CPU.

    Strided 1 x 1 convolutions of few channels do (torch 2.14.1, oneDNN 3.12.0; see docs/log.md): seen with 2, 3, 4
    and 6 inputs, clean from 7 on.
    """
    convolutions = (module for module in model.modules() if isinstance(module, nn.Conv2d))
    return any(
        each.kernel_size == (1, 1) and max(each.stride) > 1 and each.in_channels // each.groups < 8
        for each in convolutions
    )


def _accelerator(runtime: Runtime, model: nn.Module) -> Accelerator:
    if runtime.device.startswith("cuda:"):
        torch.cuda.set_device(runtime.device)
    arguments: dict[str, Any] = {"cpu": runtime.device == "cpu", "mixed_precision": runtime.mixed_precision}
    if processes.world() > 1:
        arguments["kwargs_handlers"] = [_in_parallel(model)]
    try:
        accelerator = Accelerator(**arguments)
    except ValueError:
        accelerator = None
    if accelerator is None or accelerator.device.type != torch.device(runtime.device).type:
        # accelerate keeps one device and one precision a process; a process that trains twice may want others
        AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001
        accelerator = Accelerator(**arguments)
    return accelerator
