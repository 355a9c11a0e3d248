"""What a module costs before anybody runs it: parameters, multiply-accumulates, bytes stored, bytes alive."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limbeck.errors import ModelError
from limbeck.measuring.liveness import peak_activation_bytes

if TYPE_CHECKING:
    from torch import nn

    from limbeck.core.batch import Inputs

__all__ = ["Cost", "cost", "counting", "macs", "parameters", "peak_activation_bytes", "weights_bytes"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a module costs for one example.

    Attributes:
        params: trained numbers.
        macs: multiply-accumulates.
        size_bytes: weights as safetensors.
        peak_memory_bytes: peak of live activations; `None` where the module cannot be traced.
        note: why something is `None`, for the record.
    """

    params: int
    macs: int
    size_bytes: int
    peak_memory_bytes: int | None
    note: str | None = None


def cost(module: "nn.Module", example: "Inputs") -> Cost:
    """All of it; a module that cannot be traced only lacks its peak memory, and the note says why.

    Args:
        module: left as it was found.
        example: one or more examples; the first is used.

    Returns:
        The cost of one example.
    """
    key = _key(module, example)
    traced = _traced(module, example) if key is None else _TRACED.get(key)
    if traced is None:
        traced = _TRACED[str(key)] = _traced(module, example)
    counted, peak, note = traced
    return Cost(parameters(module), counted, weights_bytes(module), peak, note)


_Traced = tuple[int, int | None, str | None]
_TRACED: dict[str, _Traced] = {}
"""Of this process: tracing takes as long as a small training, and the arms of a run are of one architecture."""


def _key(module: "nn.Module", example: "Inputs") -> str | None:
    """Fingerprint of all that a trace depends on; `None` where code is not Limbeck's or torch's, and so may change."""
    from limbeck.core.architecture import architecture_fingerprint
    from limbeck.core.identity import fingerprint

    if isinstance(example, Mapping):
        return None
    if any(type(part).__module__.partition(".")[0] not in {"limbeck", "torch"} for part in module.modules()):
        return None
    tensors = {**module.state_dict(), "": example[:1]}
    shapes = [[name, list(each.shape), str(each.dtype), str(each.device)] for name, each in tensors.items()]
    return fingerprint([architecture_fingerprint(module), shapes])


def _traced(module: "nn.Module", example: "Inputs") -> _Traced:
    """Multiply-accumulates; peak memory, or why it is not known."""
    note = peak = None
    try:
        peak = peak_activation_bytes(module, example)
    except ModelError as error:
        note = str(error)
    return macs(module, example), peak, note


def parameters(module: "nn.Module") -> int:
    """Numbers in a module's parameters, shared ones once; buffers (running means) are not among them."""
    return sum(parameter.numel() for parameter in module.parameters())


def macs(module: "nn.Module", example: "Inputs") -> int:
    """Multiply-accumulates of one example: matrix products, convolutions, attention; nothing else is counted.

    Torch's own counter, divided by two. Fused kernels that it cannot see into (attention, transformer layers,
    oneDNN's LSTM) are switched to their plain forms for the time of the count.

    Args:
        module: left as it was found.
        example: one or more examples; the first is used.

    Returns:
        The count; 0 for a module without such operators.

    Example:
        >>> import torch
        >>> macs(torch.nn.Linear(20, 30), torch.zeros(1, 20))
        600
    """
    import torch

    from limbeck.core.modes import evaluating
    from limbeck.measuring.modes import first_row

    with evaluating(module), torch.no_grad(), counting() as count:
        module(first_row(module, example))
    return count()


@contextmanager
def counting() -> Iterator[Callable[[], int]]:
    """Counts the multiply-accumulates of whatever is computed meanwhile; see `macs`.

    Yields:
        A function that tells the sum so far.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    extra: dict[Any, Callable[..., int]] = {torch.ops.aten.mv: _mv_flops, torch.ops.aten.addmv: _addmv_flops}
    counter = FlopCounterMode(display=False, custom_mapping=extra)
    with _plain_kernels(), counter:
        yield lambda: counter.get_total_flops() // 2


def weights_bytes(module: "nn.Module") -> int:
    """Size of the state dict as a safetensors file, to the byte; tensors that share memory are stored once.

    Args:
        module: is only looked at.

    Returns:
        Bytes, header included.

    Example:
        >>> import torch
        >>> weights_bytes(torch.nn.Linear(20, 30)) - 4 * (20 * 30 + 30)  # the header
        136
    """
    import torch

    seen: set[tuple[int, int, tuple[int, ...]]] = set()
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in module.state_dict().items():
        key = (tensor.data_ptr(), tensor.storage_offset(), tuple(tensor.shape))
        if not tensor.data_ptr() or key not in seen:  # no memory: empty, or on the meta device
            seen.add(key)
            tensors[name] = tensor
    return _safetensors_header_bytes(tensors) + sum(t.numel() * t.element_size() for t in tensors.values())


def _safetensors_header_bytes(tensors: Mapping[str, Any]) -> int:
    """The format's 8-byte length and its JSON, padded to 8 bytes; larger element types come first, then names."""
    header, end = {}, 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _dtype_name(tensor.dtype),
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return 8 + -(-len(text) // 8) * 8


def _dtype_name(dtype: Any) -> str:  # noqa: ANN401 - torch.dtype, which must not be imported for an annotation
    name = str(dtype).removeprefix("torch.")
    for word, letter in (("bfloat", "BF"), ("float", "F"), ("uint", "U"), ("int", "I"), ("complex", "C")):
        if name.startswith(word):
            return letter + name[len(word) :].upper()
    return name.upper()


def _mv_flops(matrix: tuple[int, ...], *_: object, **__: object) -> int:
    return 2 * matrix[0] * matrix[1]


def _addmv_flops(_bias: object, matrix: tuple[int, ...], *_: object, **__: object) -> int:
    return 2 * matrix[0] * matrix[1]


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """Kernels that the counter can see into; everything is switched back at the end."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    fast = torch.backends.mha.get_fastpath_enabled()
    onednn = torch.backends.mkldnn.enabled
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # switching warns about Intel GPUs
            with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        assert torch.backends.mkldnn.enabled == onednn
