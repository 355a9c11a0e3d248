"""Attention transfer on gradients: where the loss is sensitive to the input, it is for the teacher too."""

from collections.abc import Mapping

from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.errors import ModelError
from limbeck.objectives.card import MethodCard
from limbeck.objectives.objective import Needs, Objective
from limbeck.objectives.outputs import labels
from limbeck.objectives.positions import total
from limbeck.objectives.reading import same_shape
from limbeck.objectives.reduce import full_precision, weighted_mean

CARD = MethodCard(
    name="gradient-attention",
    summary="The gradient of the cross-entropy by the input equals the teacher's.",
    needs="both sides' input gradients, labels (unlabelled rows are left out); multiclass; no study guide holds them",
    cost="a backward pass of the teacher, and a second derivative of the student: about three times its step",
    memory="the graph of the student's backward pass, about twice its step's activations",
    variants="none",
    helps="few labels; it gave less than attention maps in the paper",
    hurts="ReLU nets, whose second derivative is piecewise zero; batch normalisation, which couples rows",
    paper="Zagoruyko, Komodakis 2017, Paying More Attention to Attention, arXiv 1612.03928, equations 3 to 5",
    suggested="small weights first: the gradient's size depends on that of the input's pixels",
)


class GradientAttention(Objective):
    """`1/2 ||J_s - J_t||^2` of each row's input gradients, mean over the weight of the *labelled* rows.

    The norm is squared: equation 4 prints `beta / 2 ||J_s - J_t||_2`, but the derivative that equation 5 gives for it,
    `beta (J_s - J_t)` times the second derivative of the loss, is that of half the square, which also has one where
    both are equal.

    Example:
        >>> str(10 * GradientAttention())
        '10 * GradientAttention()'
    """

    def needs(self) -> Needs:
        """Both sides' input gradients, and labels."""
        return Needs(labels=True, input_gradient=True)

    def terms(self, student: Signals, teacher: Signals | None, batch: Batch) -> Mapping[str, Tensor]:
        """`{"gradient-attention": scalar}`; unlabelled rows are left out.

        Raises:
            ModelError: a side's input gradient is missing, or the batch has no labels.
        """
        gradients = []
        for who, signals in (("student", student), ("teacher", teacher)):
            if signals is None or signals.input_gradient is None:
                raise ModelError(
                    f"{CARD.name} needs the {who}'s input gradient; ask a live model with needs().input_gradient"
                )
            gradients.append(full_precision(signals.input_gradient))
        mine, other = gradients[0], gradients[1].detach()
        same_shape(mine, other, CARD.name)
        _, labelled = labels(CARD.name, batch)
        return {CARD.name: weighted_mean(total((mine - other) ** 2) / 2, batch.weight, labelled)}
