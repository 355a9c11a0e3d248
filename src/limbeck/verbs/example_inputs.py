"""What a model takes, in words: `int:20` is 20 token ids an example, `mask=ones:20` a tensor that is called so."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from limbeck.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

KINDS = {
    "int": "token ids, all 0",
    "ones": "whole numbers, all 1, for masks",
    "bool": "true",
    "float": "numbers, all 0",
}
"""What stands before the colon, and the tensor that is made of it."""
_FORM = re.compile(r"(?:(?P<name>[^\W\d]\w*)=)?(?P<kind>[a-z]+)(?::(?P<shape>\d+(?:x\d+)*))?")


def batch_of(texts: Sequence[str], rows: int) -> "Tensor | tuple[Tensor, ...] | dict[str, Tensor]":
    """A batch as the texts say.

    Args:
        texts: `[NAME=]KIND[:SHAPE]` each: the kind is one of `KINDS`, the shape that of one example (`20`, `3x64x64`;
            left out: one number an example). All of them are named, or none is: those are given in order.
        rows: examples.

    Returns:
        A tensor, a tuple of them, or a mapping where they are named.

    Raises:
        InputError: a text is not of that form, a name stands twice, or only some are named.

    Example:
        >>> batch = batch_of(["input_ids=int:20", "attention_mask=ones:20"], rows=3)
        >>> {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in batch.items()}
        {'input_ids': ((3, 20), torch.int64), 'attention_mask': ((3, 20), torch.int64)}
    """
    if not texts:
        raise InputError(f"--input: nothing was given; {_expected()}")
    read = [_read(text, rows) for text in texts]
    named = {name: tensor for name, tensor in read if name is not None}
    if not named:
        tensors = tuple(tensor for _, tensor in read)
        return tensors[0] if len(tensors) == 1 else tensors
    if len(named) < len(read):
        nameless = [text for text, (name, _) in zip(texts, read, strict=True) if name is None]
        if nameless:
            raise InputError(f"--input {nameless[0]}: others are named, so name it too, as in NAME={nameless[0]}")
        raise InputError(f"--input: a name stands twice among {', '.join(texts)}; give each tensor its own")
    return named


def _read(text: str, rows: int) -> "tuple[str | None, Tensor]":
    import torch

    found = _FORM.fullmatch(text.strip())
    if found is None or found["kind"] not in KINDS:
        raise InputError(f"--input {text}: {_expected()}")
    shape = [int(extent) for extent in found["shape"].split("x")] if found["shape"] else []
    if 0 in shape:
        raise InputError(f"--input {text}: an axis of length 0 holds nothing; expected lengths of 1 or more")
    match found["kind"]:
        case "int":
            tensor = torch.zeros(rows, *shape, dtype=torch.int64)
        case "ones":
            tensor = torch.ones(rows, *shape, dtype=torch.int64)
        case "bool":
            tensor = torch.ones(rows, *shape, dtype=torch.bool)
        case _:
            tensor = torch.zeros(rows, *shape)
    return found["name"], tensor


def _expected() -> str:
    kinds = ", ".join(f"{kind} ({meaning})" for kind, meaning in KINDS.items())
    return f"expected KIND:SHAPE or NAME=KIND:SHAPE, such as int:20 or attention_mask=ones:20; kinds are {kinds}"
