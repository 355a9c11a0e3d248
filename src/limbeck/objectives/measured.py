"""What each objective was measured to cost: the table of docs/figures.md, which `benchmarks/objectives.py` prints.

Batch 256, ten outputs, maps of 32 and 64 channels of 7 x 7, one thread; a step is that of a student of 10,474
parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """Time and memory of one objective.

    Attributes:
        alone: time of its forward and backward pass, over that of soft targets.
        step: time of a whole training step with it, over one with soft targets.
        kept_kb: kilobytes that the finished graph holds for the backward pass.
    """

    alone: float
    step: float
    kept_kb: int

    def __str__(self) -> str:
        return (
            f"at batch 256 beside soft-targets: {self.alone:g} times alone, {self.step:g} times in a whole step of a "
            f"small student; {self.kept_kb:,} KB kept for the backward pass"
        )


MEASURED: Mapping[str, Measured] = {
    "soft-targets": Measured(1.0, 1.01, 20),
    "hard-labels": Measured(0.5, 0.99, 12),
    "teacher-labels": Measured(0.7, 0.99, 12),
    "rkd-distance": Measured(8.9, 1.11, 1994),
    "rkd-angle": Measured(244.5, 3.99, 1374),
    "similarity-preserving": Measured(3.1, 1.03, 781),
    "correlation-congruence": Measured(4.3, 1.04, 1303),
    "pkt": Measured(4.4, 1.05, 794),
    "reverse-kl": Measured(1.1, 0.99, 30),
    "jensen-shannon": Measured(2.2, 1.02, 72),
    "skew-kl": Measured(2.0, 1.02, 52),
    "logit-mse": Measured(0.4, 1.0, 10),
    "dkd": Measured(2.2, 1.01, 62),
    "dist": Measured(2.3, 1.03, 30),
    "cwtm": Measured(1.0, 1.01, 13),
    "dkpp": Measured(2.0, 1.01, 20),
    "binary-targets": Measured(1.6, 1.01, 60),
    "binary-labels": Measured(0.6, 0.99, 20),
    "regression-targets": Measured(0.4, 1.0, 10),
    "regression-labels": Measured(0.4, 0.99, 10),
    "bounded-regression": Measured(0.6, 1.0, 10),
    "embedding": Measured(0.8, 1.03, 22),
    "margin-mse": Measured(0.5, 1.0, 9),
    "hint": Measured(8.0, 1.21, 7848),
    "attention-transfer": Measured(4.1, 1.07, 1668),
    "channel-wise": Measured(14.7, 1.3, 7848),
    "nst": Measured(22.2, 1.44, 9408),
    "vid": Measured(9.0, 1.21, 7913),
    "mgd": Measured(68.5, 2.45, 11284),
    "pkd": Measured(1.8, 1.07, 1706),
    "tinybert-hidden": Measured(11.0, 1.18, 4712),
    "activation-boundaries": Measured(18.0, 1.34, 7848),
    "factor-transfer": Measured(36.2, 1.83, 17399),
    "fsp": Measured(29.1, 1.62, 17616),
    "attention-relations": Measured(128.3, 3.61, 67032),
    "review": Measured(275.1, 7.42, 57326),
    "ofa": Measured(2.9, 1.08, 53),
    "crd": Measured(12.6, 1.2, 1529),
    "gradient-attention": Measured(1.3, 8.55, 784),
}
"""Method -> what it cost."""
