"""How weights are moved: plain values, checked where they enter."""

from dataclasses import asdict, dataclass
from typing import Any

from limbeck.errors import RecipeError


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The optimiser and its schedule.

    Attributes:
        optimiser: "adamw" or "sgd" (Nesterov momentum).
        learning_rate: at the end of the warm-up, above 0.
        weight_decay: decoupled for adamw; at least 0; not applied to biases and normalisation (vectors).
        momentum: of sgd, 0 <= momentum < 1.
        schedule: "cosine" falls to 0 at the last step; "constant" stays.
        warmup_share: of all steps, in which the rate rises from 0 in a straight line.
        clip_norm: largest gradient norm; `None` does not clip.
        evaluations: how often validation is looked at, evenly over the run, the last step included.
        checkpoint_seconds: least time between two checkpoints; 0 saves at every step.
    """

    optimiser: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    momentum: float = 0.9
    schedule: str = "cosine"
    warmup_share: float = 0.05
    clip_norm: float | None = None
    evaluations: int = 20
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        checks = {
            "optimiser must be adamw or sgd": self.optimiser in ("adamw", "sgd"),
            "schedule must be cosine or constant": self.schedule in ("cosine", "constant"),
            "learning_rate must be above 0": 0 < self.learning_rate < float("inf"),
            "weight_decay must be at least 0": 0 <= self.weight_decay < float("inf"),
            "momentum must be in [0, 1)": 0 <= self.momentum < 1,
            "warmup_share must be in [0, 1)": 0 <= self.warmup_share < 1,
            "clip_norm must be above 0, or null": self.clip_norm is None or self.clip_norm > 0,
            "evaluations must be at least 1": self.evaluations >= 1,
            "checkpoint_seconds must be at least 0": self.checkpoint_seconds >= 0,
        }
        wrong = [text for text, right in checks.items() if not right]
        if wrong:
            raise RecipeError(f"train: {'; '.join(wrong)}")

    def as_dict(self) -> dict[str, Any]:
        """For fingerprints: what changes the weights. How often a run is saved or looked at does not."""
        values = asdict(self)
        del values["checkpoint_seconds"], values["evaluations"]
        return values
