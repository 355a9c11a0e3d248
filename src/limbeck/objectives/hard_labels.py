"""Hard labels: cross-entropy against the data's own labels, with optional label smoothing (Szegedy et al. 2016)."""

from collections.abc import Mapping

from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError, RecipeError
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective, labelled
from limbeck.objectives.reduce import full_precision, weighted_mean
from limbeck.objectives.text import number

CARD = MethodCard(
    name="hard-labels",
    summary="Plain cross-entropy against the data's own labels; unlabelled rows are left out.",
    needs="labels; multiclass",
    cost="one softmax, batch x classes",
    memory="batch x classes numbers",
    variants="label_smoothing",
    helps="where true labels are many and the teacher errs",
    hurts="where labels are noisy or few and the student can memorise them",
    paper="label smoothing: Szegedy et al. 2016, arXiv 1512.00567",
    suggested="weight 0 to 0.5 beside soft targets; label_smoothing 0 to 0.2",
)


def cross_entropy_rows(
    logits: Float[Tensor, "b classes"], target: Int[Tensor, " b"], label_smoothing: float = 0.0
) -> Float[Tensor, " b"]:
    """Cross-entropy of each row in nats against `(1 - s) onehot(target) + s / classes`.

    Args:
        logits: scores before the softmax.
        target: class indices, 0 <= target < classes.
        label_smoothing: s, 0 <= s < 1; 0 is plain cross-entropy.

    Example:
        >>> import torch
        >>> cross_entropy_rows(torch.zeros(1, 4), torch.tensor([2]))
        tensor([1.3863])
    """
    return F.cross_entropy(full_precision(logits), target, reduction="none", label_smoothing=label_smoothing)


class HardLabels(Objective):
    """Cross-entropy against the data's labels, mean over the weight of the *labelled* rows (0 where there are none).

    Where views mix two examples, so are the cross-entropies of their labels, and a row counts where both are labelled.

    Args:
        label_smoothing: share of the target spread evenly over all classes, 0 <= s < 1.

    Raises:
        RecipeError: `label_smoothing` is out of range.

    Example:
        >>> import torch
        >>> HardLabels()(torch.zeros(1, 4), torch.tensor([2]))
        tensor(1.3863)
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise RecipeError(f"label_smoothing: {label_smoothing} is not in [0, 1)")
        self.label_smoothing = label_smoothing

    def needs(self) -> Needs:
        """Labels, and no teacher."""
        return Needs(teacher=False, labels=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"hard-labels": scalar}`; the teacher is not listened to."""
        del teacher
        if student.logits is None or batch.target is None:
            raise ModelError("hard-labels needs logits and a labelled batch; leave it out for unlabelled data")
        mix = batch.mix
        if mix is None and batch.target_mask is None:
            return {"hard-labels": self._mean(student.logits, batch.target, batch.weight)}
        rows = cross_entropy_rows(student.logits, _known(batch.target, batch.target_mask), self.label_smoothing)
        if mix is not None:
            others = cross_entropy_rows(student.logits, _known(mix.target, mix.target_mask), self.label_smoothing)
            rows = others + mix.share.to(rows.dtype) * (rows - others)
        return {"hard-labels": weighted_mean(rows, batch.weight, labelled(batch))}

    def on_tensors(self, student: Tensor, other: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar for logits of shape `(b, classes)` and class indices of shape `(b,)`."""
        if other.shape != student.shape[:1] or other.is_floating_point():
            raise ModelError(
                f"hard-labels compares logits of shape {tuple(student.shape)} with {len(student)} class indices; got "
                f"{str(other.dtype).removeprefix('torch.')} of shape {tuple(other.shape)}"
            )
        return self._mean(student, other, weight)

    def _mean(self, logits: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        if weight is None:  # in one step
            return F.cross_entropy(full_precision(logits), target, label_smoothing=self.label_smoothing)
        return weighted_mean(cross_entropy_rows(logits, target, self.label_smoothing), weight)

    def extra_repr(self) -> str:
        """Arguments that differ from the default."""
        return f"label_smoothing={number(self.label_smoothing)}" if self.label_smoothing else ""


def _known(target: Int[Tensor, " b"], mask: Bool[Tensor, " b"] | None) -> Int[Tensor, " b"]:
    """Any class will do where the mask is false: what stands there is undefined, and the row does not count."""
    return target if mask is None else target.masked_fill(~mask, 0)
