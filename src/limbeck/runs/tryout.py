"""Two examples through a model: what does not fit is refused before anything is written."""

import numpy as np
import torch
from torch import Tensor

from limbeck.core.modes import evaluating
from limbeck.core.outputs import Place, described, place_of
from limbeck.core.printed import reason
from limbeck.data.preprocess import Prepared
from limbeck.data.source import Source
from limbeck.errors import ModelError
from limbeck.measuring.modes import device_of

NEAR = 1e-4
"""How far from 1 probabilities may sum up to."""


def tried(
    model: Prepared, source: Source, outputs: int | None, what: str, *, own_output: bool = True, hint: str = ""
) -> Tensor:
    """Runs two examples.

    Args:
        model: behind its preprocessing.
        source: where the examples come from.
        outputs: width of the logits; `None`: any.
        what: "teacher" or "student".
        own_output: whether the recipe could say where its logits are.
        hint: what else may mend a failure.

    Returns:
        Its logits.

    Raises:
        ModelError: it fails, or gives something else than logits `(rows, outputs)`.
    """
    raw = torch.from_numpy(np.ascontiguousarray(source.read(np.arange(min(2, len(source))))))
    device = device_of(model)
    model.preprocess.to(device)
    try:
        with evaluating(model), torch.no_grad():
            logits = model(raw.to(device))
    except Exception as error:  # foreign code may raise anything
        said = reason(error) if not isinstance(error, ModelError) else str(error)
        raise ModelError(f"the {what} fails on examples of {source.spec}: {said}{hint}") from error
    width = (len(raw), outputs) if outputs is not None else None
    fits = isinstance(logits, Tensor) and logits.ndim == 2 and len(logits) == len(raw)
    if not fits or (width is not None and tuple(logits.shape) != width):
        wanted = "classes" if outputs is None else outputs
        raise ModelError(
            f"the {what} must give logits (rows, {wanted}), it gave {described(logits)} for {len(raw)} rows; "
            f"{_mend(logits, width, what, own_output=own_output)}"
        )
    assert isinstance(logits, Tensor), "just looked at"
    return logits


def like_probabilities(logits: Tensor) -> bool:
    """Whether rows look like what a softmax gives: none negative, each summing to 1.

    Example:
        >>> like_probabilities(torch.tensor([[0.2, 0.8], [0.5, 0.5]])), like_probabilities(torch.tensor([[0.2, 0.9]]))
        (True, False)
    """
    rows = logits.float()
    return bool((rows >= 0).all()) and bool(((rows.sum(1) - 1).abs() < NEAR).all())


def _mend(found: object, width: tuple[int, int] | None, what: str, *, own_output: bool) -> str:
    if not isinstance(found, Tensor):
        place: Place | None = None if width is None else place_of(found, width)
        if not own_output:
            return "only a tensor can be imitated"
        if place is None:
            return (
                f"say which of these are its logits: {what}.output: NAME (a key, an attribute, or a place in a tuple)"
            )
        return f"say where its logits are: {what}.output: {place}"
    if what == "student":
        return "give it one output a class"
    few = width is not None and found.ndim == 2 and found.shape[1] < width[1]
    head = "train a new head on it (teacher.adapt: head)"
    return head if few else f"name its classes in teacher.classes, or {head}"
