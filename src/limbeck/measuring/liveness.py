"""Peak activation memory: the most bytes that are alive at once in one forward pass, found without running it."""

import io
import logging
import operator
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from itertools import accumulate
from typing import TYPE_CHECKING

from limbeck.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram
    from torch.fx import Node

    from limbeck.core.batch import Inputs


def peak_activation_bytes(module: "nn.Module", example: "Inputs") -> int:
    """Peak of live activations of one example, in bytes: what a device that frees early must have beside the weights.

    Walks the exported graph. An operator's inputs and outputs are alive together; a tensor dies after its last use;
    the input counts while it lives; views own nothing. Operators that write in place are counted as if they did not,
    operators that runtimes fuse (convolution and ReLU) as if apart, attention as matrix products. Weights and
    workspace inside operators are left out.

    Args:
        module: left as it was found.
        example: one or more examples; the first is used.

    Returns:
        Bytes, in the element types that the module computes with.

    Raises:
        ModelError: the module cannot be traced by `torch.export`.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 100), torch.nn.ReLU(), torch.nn.Linear(100, 2))
        >>> peak_activation_bytes(net, torch.zeros(1, 8))  # float32, before and after the ReLU
        800
    """
    program = _traced(module, example)
    nodes = list(program.graph.nodes)
    owners = _owners(nodes, set(program.graph_signature.user_inputs))
    born: dict[Node, int] = {}
    dies: dict[Node, int] = {}
    for index, node in enumerate(nodes):
        for used in (node, *node.all_input_nodes):
            for owner in owners[used]:
                born.setdefault(owner, index)
                dies[owner] = index
    changes = [0] * (len(nodes) + 1)
    for owner, index in born.items():
        changes[index] += _bytes(owner)
        changes[dies[owner] + 1] -= _bytes(owner)
    return max(accumulate(changes))


def _traced(module: "nn.Module", example: "Inputs") -> "ExportedProgram":
    """The graph in functional operators, each composite one (a GELU, a batch norm) in one piece."""
    import torch

    from limbeck.core.modes import evaluating
    from limbeck.measuring.modes import first_row

    attention = torch.ops.aten.scaled_dot_product_attention.default
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with evaluating(module), torch.no_grad(), _quiet():
            program: ExportedProgram = torch.export.export(module, (first_row(module, example),))
            plain: ExportedProgram = program.run_decompositions({attention: _attention})
            return plain
    except Exception as error:  # tracing runs the user's code, which may raise anything
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"peak memory: {type(module).__name__} cannot be traced by torch.export ({reason}); "
            "replace Python control flow that depends on tensor values"
        ) from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back the warnings and the graphs that torch prints when it cannot trace; the error tells the reason."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _owners(nodes: "Sequence[Node]", inputs: set[str]) -> "dict[Node, tuple[Node, ...]]":
    """Whose memory each node's value lies in: its own, what it is a view of, or nobody's (weights, numbers)."""
    owners: dict[Node, tuple[Node, ...]] = {}
    for node in nodes:
        base = _viewed(node)
        if node.op == "placeholder":
            owners[node] = (node,) if node.name in inputs else ()
        elif node.op != "call_function":
            owners[node] = ()
        elif base is not None:
            owners[node] = owners[base]
        elif isinstance(node.meta.get("val"), (tuple, list)):
            owners[node] = tuple(node.users)  # the pieces that somebody takes, alive from here on
        else:
            owners[node] = (node,)
    return owners


def _viewed(node: "Node") -> "Node | None":
    """What a node's value is a view of: the argument that its operator's schema says, or a tuple that it is part of."""
    from torch.fx import Node

    if node.target is operator.getitem:
        whole = node.all_input_nodes[0]
        return whole if _viewed(whole) is not None else None
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.returns or schema.returns[0].alias_info is None:
        return None
    for place, argument in enumerate(schema.arguments):  # in a functional graph only views have such an argument
        if argument.alias_info is not None:
            value = node.args[place] if place < len(node.args) else node.kwargs.get(argument.name)
            return value if isinstance(value, Node) else None
    return None


def _bytes(node: "Node") -> int:
    from torch import Tensor

    value = node.meta.get("val")
    return value.numel() * value.element_size() if isinstance(value, Tensor) else 0


def _attention(  # noqa: PLR0917 - the operator's signature
    query: "Tensor",
    key: "Tensor",
    value: "Tensor",
    attn_mask: "Tensor | None" = None,
    dropout_p: float = 0.0,  # noqa: ARG001 - the operator's signature
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> "Tensor":
    """Attention as a device computes it that has no fused kernel: scores, softmax, weighted sum."""
    import torch

    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(repeats, -3), value.repeat_interleave(repeats, -3)
    scores = query * (query.shape[-1] ** -0.5 if scale is None else scale) @ key.transpose(-2, -1)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        masked = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -torch.inf) if masked else scores + attn_mask
    return scores.softmax(-1) @ value
