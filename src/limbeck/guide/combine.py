"""`Ensemble`: several guides, or live teachers, that speak as one. Adding a teacher re-labels nothing."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.identity import fingerprint
from limbeck.core.protocols import SignalSource
from limbeck.core.signals import Signals
from limbeck.data.draws import Draws, key, streams
from limbeck.errors import GuideError, InputError
from limbeck.teachers.rules import RULES, Panel, check, combined

_RULES = tuple(rule for rule in RULES if rule != "random-view")
"""`teachers.turns.TakingTurns` answers view by view."""


class Ensemble:
    """A signal source made of others that know the same examples and views.

    Rules: those of `teachers.rules.Panel`. "random" asks one source, drawn each step with probability `w_i` by the
    seed, the ids and the views of the batch: the ensemble's benefit in expectation at the cost of one (Fukuda et al.
    2017). It is the only rule for sparse signals and features, which have no mean: every teacher kept other classes,
    and has other features. Specialists know some of the classes.

    Args:
        sources: at least one; one that names its classes knows all of them.
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
        rule: str = "probabilities",
        weights: Sequence[float] | None = None,
        seed: int = 0,
    ) -> None:
        if not sources:
            raise InputError("ensemble: no source was given")
        if rule not in _RULES:
            raise InputError(f"ensemble: rule: {rule!r}, expected one of: {', '.join(_RULES)}")
        self.sources, self.rule, self.seed = tuple(sources), rule, seed
        self.weights = _normalised(weights, len(self.sources))
        self.classes, places = _agreed(self.sources)
        self.panel = Panel(rule, self.weights, places)
        check(self.panel)

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
        widths = {part.shape[1] for part, place in zip(logits, self.panel.places, strict=True) if place is None}
        if len(widths) > 1:
            raise GuideError(f"ensemble: the sources give {', '.join(map(str, sorted(widths)))} classes: not the same")
        return Signals(logits=combined(logits, self.panel))

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


def _agreed(
    sources: Sequence[SignalSource],
) -> tuple[tuple[str, ...] | None, tuple[tuple[int, ...] | None, ...]]:
    """The classes, and which of them each source knows, where it does not know all."""
    known = [getattr(source, "classes", None) for source in sources]
    first = max((tuple(names) for names in known if names is not None), key=len, default=None)
    places: list[tuple[int, ...] | None] = []
    for names in known:
        if names is None or first is None or tuple(names) == first:
            places.append(None)
        elif len(names) < len(first) and set(names) < set(first):
            places.append(tuple(first.index(name) for name in names))
        else:
            raise GuideError(
                f"ensemble: the sources disagree about the classes: {_some(first)} and {_some(names)}; "
                "write the guides with the same classes in the same order"
            )
    return first, tuple(places)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
