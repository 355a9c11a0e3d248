"""What accelerate does for the loop: device, mixed precision, and the step across processes."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.optim import Optimizer

from limbeck.core.batch import Inputs
from limbeck.core.runtime import Runtime
from limbeck.errors import ModelError
from limbeck.training.compiled import compile_forward


class Engine:
    """A model prepared for its device, and how to take a step.

    Args:
        runtime: device and precision.
        model: moved to the device; convolutional weights become channels-last.
        objective: moved to the device.
        compiled: whether the forward pass goes through `torch.compile`.
    """

    def __init__(self, runtime: Runtime, model: nn.Module, objective: nn.Module, *, compiled: bool = False) -> None:
        self.accelerator = _accelerator(runtime)
        self.device = self.accelerator.device
        convolutional = any(isinstance(module, nn.Conv2d) for module in model.modules())
        self.channels_last = convolutional and not (self.device.type == "cpu" and _corrupts_memory(model))
        if self.channels_last:
            model.to(memory_format=torch.channels_last)
        self.own = frozenset(model.__dict__)
        self.model: nn.Module = self.accelerator.prepare_model(model)
        objective.to(self.device)
        self.call: Callable[[Inputs], object] = self.model
        self.note: str | None = None
        if compiled:
            self.call, self.note = compile_forward(self.model, self.device)

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
        if clip_norm is not None:
            parameters = [p for group in optimiser.param_groups for p in group["params"]]
            self.accelerator.clip_grad_norm_(parameters, clip_norm)
        optimiser.step()

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
        for trace in ("forward", "_is_accelerate_prepared"):  # else the next stage would run without its precision
            if trace not in self.own:
                model.__dict__.pop(trace, None)
        if self.device.type != "cpu":  # it also collects garbage: a fifth of a second, more than a small training takes
            self.accelerator.free_memory()


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


def _accelerator(runtime: Runtime) -> Accelerator:
    if runtime.device.startswith("cuda:"):
        torch.cuda.set_device(runtime.device)
    arguments = {"cpu": runtime.device == "cpu", "mixed_precision": runtime.mixed_precision}
    try:
        accelerator = Accelerator(**arguments)
    except ValueError:
        accelerator = None
    if accelerator is None or accelerator.device.type != torch.device(runtime.device).type:
        # accelerate keeps one device and one precision a process; a process that trains twice may want others
        AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001
        accelerator = Accelerator(**arguments)
    return accelerator
