r"""Binary hard labels: cross-entropy of each label on its own, for binary and multi-label tasks."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError, RecipeError
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import columns, labels
from limbeck.objectives.ranges import check_choice
from limbeck.objectives.reduce import full_precision, weighted_mean
from limbeck.objectives.text import settings

CARD = MethodCard(
    name="binary-labels",
    summary="Binary cross-entropy against the data's own yes-or-no labels; unlabelled rows are left out.",
    needs="labels, 0 or 1 (or a share between); binary (one a row) or multilabel (one a row and label)",
    cost="one sigmoid a label, batch x labels",
    memory="batch x labels numbers",
    variants="label_smoothing; scale: sum over labels, mean of them",
    helps="where true labels are many and the teacher errs",
    hurts="where a missing label was written down as no",
    paper="label smoothing: Szegedy et al. 2016, arXiv 1512.00567, per label",
    suggested="weight 0 to 0.5 beside binary-targets; label_smoothing 0 to 0.1",
)


def binary_cross_entropy_rows(
    logits: Float[Tensor, "b labels"],
    target: Shaped[Tensor, "b labels"],
    label_smoothing: float = 0.0,
    scale: Literal["sum", "mean"] = "sum",
) -> Float[Tensor, " b"]:
    """Cross-entropy of each row in nats against `(1 - s) target + s / 2`, summed over labels or their mean.

    Args:
        logits: scores before the sigmoid.
        target: 0..1, the probability of yes; any type of number, or booleans.
        label_smoothing: s, 0 <= s < 1; 0 is plain cross-entropy.
        scale: "sum" over labels, or their "mean".

    Example:
        >>> import torch
        >>> binary_cross_entropy_rows(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
        tensor([1.3863])
    """
    logits = full_precision(logits)
    smoothed = (1 - label_smoothing) * target.to(logits.dtype) + label_smoothing / 2
    parts = F.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
    return parts.sum(dim=1) if scale == "sum" else parts.mean(dim=1)


class BinaryLabels(Objective):
    """Binary cross-entropy, summed over labels, mean over the weight of the *labelled* rows (0 where there are none).

    Args:
        label_smoothing: share of the target spread evenly over yes and no, 0 <= s < 1.
        scale: "sum" over labels, or their "mean".

    Raises:
        RecipeError: `label_smoothing` is out of range, or `scale` is another word.

    Example:
        >>> import torch
        >>> BinaryLabels()(torch.zeros(1, 1), torch.tensor([1.0]))
        tensor(0.6931)
    """

    def __init__(self, label_smoothing: float = 0.0, scale: Literal["sum", "mean"] = "sum") -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise RecipeError(f"label_smoothing: {label_smoothing} is not in [0, 1)")
        check_choice("scale", scale, ("sum", "mean"))
        self.label_smoothing = label_smoothing
        self.scale: Literal["sum", "mean"] = scale

    def needs(self) -> Needs:
        """Labels, and no teacher."""
        return Needs(teacher=False, labels=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"binary-labels": scalar}`; the teacher is not listened to, unlabelled rows are left out."""
        del teacher
        if student.logits is None:
            raise ModelError("binary-labels needs the student's logits")
        target, labelled = labels("binary-labels", batch)
        return {"binary-labels": weighted_mean(self._rows(student.logits, target), batch.weight, labelled)}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for logits of shape `(b, labels)` and as many targets, 0..1; `(b,)` will do for one label."""
        return weighted_mean(self._rows(student, other), weight)

    def _rows(self, logits: Tensor, target: Tensor) -> Tensor:
        logits, target = columns(logits), columns(target)
        if logits.shape != target.shape:
            raise ModelError(
                f"binary-labels compares logits of shape {tuple(logits.shape)} with as many labels; got "
                f"{tuple(target.shape)} (class indices belong to hard-labels)"
            )
        return binary_cross_entropy_rows(logits, target, self.label_smoothing, self.scale)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return settings(self)
