"""ONNX: the format that runs nearly everywhere. The file says what it is, and nothing about who made it where."""

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from limbeck.core.optional import require
from limbeck.core.storage import write_atomically
from limbeck.errors import ExportError, LimbeckError

INPUT, OUTPUT = "input", "logits"
MAX_BATCH = 4096
OPSET = 20


def to_onnx(
    module: nn.Module,
    example: Tensor,
    path: Path,
    *,
    dynamic_batch: bool = True,
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Writes `module` as one self-contained ONNX file with the input `input` and the output `logits`.

    Args:
        module: takes one tensor and returns one; on the CPU and in eval mode, both left as they are.
        example: an input; of one row it is doubled, since a batch of 1 invites the tracer to fix the size.
        path: the `.onnx` file.
        dynamic_batch: takes 1 to 4096 rows; otherwise the rows of `example` exactly.
        metadata: key-value pairs that any reader of the file finds.

    Raises:
        ModelError: the module refuses its input or output itself.
        ExportError: torch cannot trace or translate the module, or it holds its batch size fixed.
        StorageError: the disk is full or the folder cannot be written.
    """
    require("onnxscript", extra=None, purpose="exporting to ONNX")
    onnx = require("onnx", extra=None, purpose="exporting to ONNX")
    if dynamic_batch and len(example) == 1:
        example = torch.cat([example, example])
    model = _translated(module, example, dynamic_batch=dynamic_batch)
    if dynamic_batch:
        _require_open_batch(model, len(example))
    _anonymise(model)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    write_atomically(path, lambda temporary: onnx.save(model, temporary))


def _translated(module: nn.Module, example: Tensor, *, dynamic_batch: bool) -> Any:  # noqa: ANN401 - onnx is untyped
    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    try:
        with _exporter_silenced():
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: batch},) if dynamic_batch else None,
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # the exporter's errors share no base class
        raise _explained(error) from error
    if program is None:
        raise ExportError("torch exported nothing to ONNX, and did not say why")
    return program.model_proto


@contextmanager
def _exporter_silenced() -> Iterator[None]:
    """Drops what the exporter says about its own internals, and that torchvision, which is not needed, is absent."""
    registry = logging.getLogger("torch.onnx._internal.exporter._registration")
    registry.addFilter(_not_torchvision)
    try:
        with warnings.catch_warnings():
            for module in ("torch\\.", "onnxscript\\.", "onnx_ir\\.", "copyreg"):
                for category in (FutureWarning, DeprecationWarning):
                    warnings.filterwarnings("ignore", category=category, module=module)
            yield
    finally:
        registry.removeFilter(_not_torchvision)


def _not_torchvision(record: logging.LogRecord) -> bool:
    return "torchvision" not in record.getMessage()


def _anonymise(model: Any) -> None:  # noqa: ANN401
    """Drops stack traces, local paths and torch's notes: a third of a small file, and nobody's business."""
    del model.metadata_props[:]
    model.doc_string = ""
    _strip(model.graph)
    for function in model.functions:
        _strip(function)


def _strip(graph: Any) -> None:  # noqa: ANN401
    """One graph or function, and the graphs within its nodes."""
    del graph.metadata_props[:]
    graph.doc_string = ""
    for item in _described(graph):
        del item.metadata_props[:]
        item.doc_string = ""
    for node in graph.node:
        for attribute in node.attribute:
            attribute.doc_string = ""
            for inner in (*attribute.graphs, *((attribute.g,) if attribute.HasField("g") else ())):
                _strip(inner)


def _described(graph: Any) -> Iterable[Any]:  # noqa: ANN401
    yield from graph.node
    yield from graph.value_info
    if hasattr(graph, "initializer"):
        yield from graph.initializer
        yield from graph.input
        yield from graph.output


def _require_open_batch(model: Any, rows: int) -> None:  # noqa: ANN401
    """The tracer fixes the batch without a word where the module's code does."""
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.shape.dim[0].HasField("dim_value"):
            raise ExportError(
                f"the student works for a batch of {rows} only, which cannot be exported for others: its forward must "
                "read the batch size from its input (x.shape[0]), and not hold it as a number"
            )


def _explained(error: BaseException) -> LimbeckError:
    """Our own error where one was raised within the trace; else the line of torch's that says what happened."""
    cause = error
    while cause.__cause__ is not None and not isinstance(cause, LimbeckError):
        cause = cause.__cause__
    if isinstance(cause, LimbeckError):
        return type(cause)(str(cause))
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    gist = lines[0] if lines else type(cause).__name__
    return ExportError(f"torch cannot export the student to ONNX: {gist}")
