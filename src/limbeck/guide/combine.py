"""`Ensemble`: several guides, or live teachers, that speak as one. Adding a teacher re-labels nothing."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.identity import fingerprint
from limbeck.core.protocols import SignalSource
from limbeck.core.signals import Signals
from limbeck.data.draws import Draws, key, streams
from limbeck.errors import GuideError, InputError

Rule = Literal["probabilities", "logits", "random"]


class Ensemble:
    """A signal source made of others that know the same examples, views and classes.

    Rules:
        probabilities: `log(sum_i w_i softmax(z_i))`. Its softmax at T = 1 is the mean of the teachers' probabilities;
            at another temperature that mean is tempered, which is not the mean of tempered probabilities.
        logits: `sum_i w_i z_i`: the geometric mean, tempered as one model's logits are.
        random: one source, drawn each step with probability `w_i` by the seed, the ids and the views of the batch: the
            ensemble's benefit in expectation at the cost of one (Blakeney et al. 2022). The only rule for sparse
            signals and features, which have no mean: every teacher kept other classes, and has other features.

    Args:
        sources: at least one.
        rule: see above.
        weights: one a source, at least 0, not all 0; they are scaled to sum to 1. `None`: equal.
        seed: of the draws.

    Raises:
        InputError: no source, an unknown rule, or weights that are none.
        GuideError: the classes differ.
    """

    def __init__(
        self,
        sources: Sequence[SignalSource],
        *,
        rule: Rule = "probabilities",
        weights: Sequence[float] | None = None,
        seed: int = 0,
    ) -> None:
        if not sources:
            raise InputError("ensemble: no source was given")
        if rule not in get_args(Rule):
            raise InputError(f"ensemble: rule: {rule!r}, expected one of: {', '.join(get_args(Rule))}")
        self.sources, self.rule, self.seed = tuple(sources), rule, seed
        self.weights = _normalised(weights, len(self.sources))
        self.classes = _agreed(self.sources)

    def fingerprint(self) -> str:
        """SHA-256 over the sources' fingerprints, the rule, weights and seed."""
        parts = [getattr(source, "fingerprint")() for source in self.sources]  # noqa: B009 - not part of the role
        return fingerprint([self.rule, list(self.weights), self.seed, parts])

    def signals(self, batch: Batch) -> Signals:
        """What the sources say together.

        Raises:
            GuideError: a mean is asked of sparse signals or features, or the widths differ.
        """
        if self.rule == "random":
            return self.sources[self._drawn(batch)].signals(batch)
        logits = [_dense(source.signals(batch), self.rule) for source in self.sources]
        widths = {part.shape[1] for part in logits}
        if len(widths) > 1:
            raise GuideError(f"ensemble: the sources give {', '.join(map(str, sorted(widths)))} classes: not the same")
        stacked = torch.stack(logits)
        weights = torch.tensor(self.weights, device=stacked.device, dtype=torch.float32).view(-1, 1, 1)
        if self.rule == "logits":
            return Signals(logits=(weights * stacked).sum(dim=0))
        return Signals(logits=torch.logsumexp(stacked.log_softmax(dim=2) + weights.log(), dim=0))

    def _drawn(self, batch: Batch) -> int:
        """Which source speaks: a hash of the batch as a set, so that the order of its rows does not matter."""
        ids, views = batch.ids.cpu().numpy(), batch.views.cpu().numpy()
        mixed = np.bitwise_xor.reduce(streams(int(key("ensemble", self.seed)), ids, views), keepdims=True)
        uniform = Draws(mixed, 0).uniform(1)[0, 0]
        return int(np.searchsorted(np.cumsum(self.weights)[:-1], uniform, side="right"))


def _dense(signals: Signals, rule: str) -> Float[Tensor, "b classes"]:
    if signals.logits is None:
        raise GuideError(
            f"ensemble: the mean of {rule} needs all logits, but a source keeps other classes for each row (top-k or "
            "sampled); combine such guides with rule: random, or write full logits"
        )
    if signals.features:
        raise GuideError(f"ensemble: features of several teachers have no mean ({', '.join(signals.features)})")
    return signals.logits


def _normalised(weights: Sequence[float] | None, count: int) -> tuple[float, ...]:
    given = (1.0,) * count if weights is None else tuple(map(float, weights))
    good = len(given) == count and all(np.isfinite(w) and w >= 0 for w in given) and sum(given) > 0
    if not good:
        raise InputError(f"ensemble: weights: expected {count} numbers of at least 0, not all 0; got {given}")
    return tuple(w / sum(given) for w in given)


def _agreed(sources: Sequence[SignalSource]) -> tuple[str, ...] | None:
    known = [tuple(names) for source in sources if (names := getattr(source, "classes", None)) is not None]
    for other in known[1:]:
        if other != known[0]:
            raise GuideError(
                f"ensemble: the sources disagree about the classes: {_some(known[0])} and {_some(other)}; "
                "write the guides with the same classes in the same order"
            )
    return known[0] if known else None


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
