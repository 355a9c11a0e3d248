"""How several teachers' answers become one: means of probabilities or logits, by confidence, and specialists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.errors import ModelError

Rule = Literal["probabilities", "logits", "confidence", "random", "random-view"]
RULES: tuple[str, ...] = get_args(Rule)
ONE_OF: frozenset[str] = frozenset({"random", "random-view"})
"""Rules under which one teacher speaks at a time; asked all together, they answer with the mean of probabilities."""
_STEPS = 500


@dataclass(frozen=True, slots=True)
class Panel:
    """Who the teachers are, and how they are combined.

    Attributes:
        rule: "probabilities": `sum_i w_i p_i`; "logits": `softmax(sum_i w_i z_i)`, the geometric mean; "confidence":
            as "probabilities", each weight times `1 - H(p_i) / log C` of the row, so that who is sure counts more
            (entropy-based weights, Kwon et al. 2020); "random": one teacher a step; "random-view": one for each view of
            each example.
        weights: one a teacher, summing to 1.
        places: for each teacher, which of the data's classes its outputs stand for; `None`: all of them.
    """

    rule: str
    weights: tuple[float, ...]
    places: tuple[tuple[int, ...] | None, ...]

    @property
    def specialists(self) -> list[int]:
        """Teachers that know only some classes."""
        return [number for number, place in enumerate(self.places) if place is not None]


def check(panel: Panel) -> None:
    """Refuses panels whose answers would have no sense.

    Raises:
        ModelError: nobody knows all classes, or specialists are mixed in a way that has no meaning.
    """
    if not panel.specialists:
        return
    if len(panel.specialists) == len(panel.places):
        raise ModelError(
            "teacher.ensemble: every teacher knows only some of the classes, so nobody can say how likely the others "
            "are; add one that knows all of them"
        )
    if panel.rule != "probabilities":
        raise ModelError(
            f"teacher.ensemble: rule: {panel.rule} needs teachers that know all classes; specialists go with "
            "rule: probabilities"
        )


def combined(logits: Sequence[Float[Tensor, "b _"]], panel: Panel) -> Float[Tensor, "b classes"]:
    """One answer: logits over the data's classes, whose softmax at temperature 1 is the rule's distribution.

    A specialist divides anew what the others, together, give to its classes: with `g` their mean and `S` its classes,
    it says `g(S) p(c)` for `c` in `S` and `g(c)` elsewhere.

    Args:
        logits: each teacher's own, `(b, classes it knows)`; float32.
        panel: not of a rule in `ONE_OF`, which asks one teacher alone.

    Example:
        >>> sure, unsure = torch.tensor([[9.0, 0.0]]), torch.zeros(1, 2)
        >>> mean = Panel("probabilities", (0.5, 0.5), (None, None))
        >>> combined([sure, unsure], mean).softmax(1)[0, 0].round(decimals=2)
        tensor(0.7500)
    """
    everyone = [number for number, place in enumerate(panel.places) if place is None]
    weights = torch.tensor([panel.weights[number] for number in everyone], device=logits[0].device)
    stacked = torch.stack([logits[number] for number in everyone])
    if panel.rule == "logits":
        return (weights.view(-1, 1, 1) * stacked).sum(dim=0)
    if not weights.any():  # specialists alone count, and divide anew what these say together
        weights = torch.ones_like(weights)
    logs = stacked.log_softmax(dim=2)
    if panel.rule == "confidence":
        entropy = -(logs.exp() * logs).sum(dim=2) / torch.log(torch.tensor(float(logs.shape[2])))
        sure = weights.view(-1, 1) * (1 - entropy).clamp_min(1e-6)
        return torch.logsumexp(logs + (sure / sure.sum(dim=0)).log().unsqueeze(2), dim=0)
    together = torch.logsumexp(logs + (weights / weights.sum()).log().view(-1, 1, 1), dim=0)
    if not panel.specialists:
        return together
    said, shares = [together], [sum(panel.weights[number] for number in everyone)]
    for number in panel.specialists:
        place = torch.tensor(panel.places[number], device=together.device)
        own = together.clone()
        mass = together[:, place].logsumexp(dim=1, keepdim=True)
        own[:, place] = mass + logits[number].log_softmax(dim=1)
        said.append(own)
        shares.append(panel.weights[number])
    total = torch.tensor(shares, device=together.device)
    return torch.logsumexp(torch.stack(said) + (total / total.sum()).log().view(-1, 1, 1), dim=0)


def learned_weights(
    probabilities: Float[np.ndarray, "teachers n classes"], labels: Int[np.ndarray, " n"]
) -> tuple[float, ...]:
    """Weights of a mixture that make held-out labels likeliest (expectation maximisation; the maximum is the only one).

    Args:
        probabilities: of each teacher on validation.
        labels: of validation.

    Example:
        >>> right, wrong = [[0.9, 0.1], [0.1, 0.9]], [[0.2, 0.8], [0.8, 0.2]]
        >>> [round(weight, 2) for weight in learned_weights(np.array([right, wrong]), np.array([0, 1]))]
        [1.0, 0.0]
    """
    likelihoods = np.maximum(probabilities[:, np.arange(len(labels)), labels].astype(np.float64), 1e-12)
    weights = np.full(len(likelihoods), 1 / len(likelihoods))
    for _ in range(_STEPS):
        joint = weights[:, None] * likelihoods
        weights = (joint / joint.sum(axis=0)).mean(axis=1)
    return tuple(float(weight) for weight in weights)
