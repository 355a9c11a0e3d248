"""What validation may choose for each method: as many candidates for one method as for another.

`weight` is that of the method, `labels` that of the hard labels beside it; all other keys are the method's own. The
first candidates span the range, so that few trials do, too. Values are those of the papers and of the methods' cards.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from limbeck.runs.arms import SMOOTHINGS, TEMPERATURES
from limbeck.runs.fit import Settings

MOST = 6
"""Candidates that every method has."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The candidates of a method.

    Attributes:
        candidates: in the order in which they are tried.
        beside_targets: whether the method is a term beside soft targets, whose temperature was chosen before.
        pair: whether it takes one tap a side (`student`, `teacher`).
    """

    candidates: tuple[Settings, ...]
    beside_targets: bool = False
    pair: bool = False


def _temperatures() -> Grid:
    return Grid(tuple({"temperature": t} for t in TEMPERATURES))


def _weights(*weights: float, pair: bool = False, **fixed: float | str) -> Grid:
    candidates: list[Settings] = [{"weight": weight, **fixed} for weight in weights]
    return Grid(tuple(candidates), beside_targets=True, pair=pair)


def _smoothings() -> Grid:
    return Grid(tuple({"label_smoothing": smoothing} for smoothing in SMOOTHINGS[:MOST]))


GRIDS: Mapping[str, Grid] = {
    "soft-targets": _temperatures(),
    "teacher-labels": _smoothings(),
    "reverse-kl": _temperatures(),
    "jensen-shannon": _temperatures(),
    "skew-kl": _temperatures(),
    "logit-mse": Grid(
        (
            {"labels": 0.0, "centre": True, "scale": "mean"},
            {"labels": 1.0, "centre": True, "scale": "mean"},
            {"labels": 0.0, "centre": False, "scale": "mean"},
            {"labels": 0.1, "centre": True, "scale": "mean"},
            {"labels": 1.0, "centre": False, "scale": "mean"},
            {"labels": 10.0, "centre": True, "scale": "mean"},
        )
    ),
    "dkd": Grid(
        (
            {"labels": 1.0, "temperature": 4.0, "beta": 8.0},
            {"labels": 1.0, "temperature": 1.0, "beta": 1.0},
            {"labels": 1.0, "temperature": 4.0, "beta": 2.0},
            {"labels": 1.0, "temperature": 2.0, "beta": 2.0},
            {"labels": 1.0, "temperature": 1.0, "beta": 8.0},
            {"labels": 1.0, "temperature": 2.0, "beta": 8.0},
        )
    ),
    "dist": Grid(
        (
            {"labels": 1.0, "beta": 1.0, "gamma": 1.0, "temperature": 1.0},
            {"labels": 1.0, "beta": 2.0, "gamma": 2.0, "temperature": 4.0},
            {"labels": 0.1, "beta": 2.0, "gamma": 2.0, "temperature": 4.0},
            {"labels": 0.1, "beta": 1.0, "gamma": 1.0, "temperature": 1.0},
            {"labels": 1.0, "beta": 2.0, "gamma": 2.0, "temperature": 2.0},
            {"labels": 0.1, "beta": 2.0, "gamma": 2.0, "temperature": 2.0},
        )
    ),
    "binary-targets": _temperatures(),
    "regression-targets": Grid(
        (
            {"labels": 0.0, "error": "squared"},
            {"labels": 0.0, "error": "huber"},
            {"labels": 0.5, "error": "squared"},
            {"labels": 0.5, "error": "huber"},
            {"labels": 0.1, "error": "squared"},
            {"labels": 1.0, "error": "squared"},
        )
    ),
    "cwtm": Grid(tuple({"labels": labels} for labels in (0.0, 1.0, 0.1, 10.0, 0.3, 3.0))),
    "dkpp": _temperatures(),
    "rkd-distance": _weights(25, 1, 5, 100, 0.2, 400),
    "rkd-angle": _weights(50, 2, 10, 200, 0.5, 800),
    "similarity-preserving": _weights(3000, 100, 500, 20, 10000, 4),
    "correlation-congruence": _weights(1, 10, 100, 0.1, 3, 30),
    "pkt": _weights(1, 10, 100, 0.1, 3, 30),
    "embedding": _weights(1, 10, 0.1, 3, 0.3, 30),
    "hint": _weights(10, 1, 100, 0.1, 3, 30, pair=True, variant="mean-square"),
    "attention-transfer": _weights(1000, 100, 10, 500, 3000, 30, pair=True, variant="mean-square"),
    "channel-wise": _weights(50, 5, 1, 10, 100, 20, pair=True),
    "nst": _weights(25, 2.5, 100, 0.25, 10, 50, pair=True),
    "vid": _weights(1, 0.1, 0.01, 0.3, 3, 0.03, pair=True, variant="mean"),
    "mgd": _weights(7e-5, 7e-4, 7e-6, 2e-5, 2e-4, 7e-3, pair=True),
    "pkd": _weights(10, 1, 100, 1000, 3, 30, pair=True, tokens="all"),
    "tinybert-hidden": _weights(1, 0.1, 10, 0.3, 3, 100, pair=True),
    "activation-boundaries": _weights(1, 0.1, 10, 0.3, 3, 100, pair=True, variant="mean"),
    "factor-transfer": _weights(16, 1.6, 160, 5, 50, 500, pair=True, variant="mean"),
    "crd": _weights(0.8, 0.08, 0.2, 0.4, 1.6, 3.2, pair=True),
}
"""Method -> its candidates. Methods that take several taps a side (fsp, review, ...) are compared when the recipe's
`study.methods` names them with their taps; then the weight is what is tuned."""

OTHERS = _weights(1, 0.1, 10, 0.01, 100, 3)
"""Of a method that has no grid of its own."""
