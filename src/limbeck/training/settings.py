"""How weights are moved: plain values, checked where they enter."""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

from limbeck.errors import RecipeError

SCHEDULES: Final = ("cosine", "linear", "step", "constant")


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The optimiser and its schedule.

    Attributes:
        optimiser: "adamw" or "sgd" (Nesterov momentum).
        learning_rate: at the end of the warm-up, above 0.
        weight_decay: decoupled for adamw; at least 0; not applied to biases and normalisation (vectors).
        momentum: of sgd, 0 <= momentum < 1.
        schedule: how the rate falls after the warm-up: "cosine", "linear", "step" (by `step_factor` at each of
            `milestones`), or "constant".
        warmup_share: of all steps, in which the rate rises from 0 in a straight line.
        final_share: where cosine and linear end after the last step, as a share of `learning_rate`.
        milestones: of "step": shares of all steps, ascending, each within (0, 1).
        step_factor: of "step", within (0, 1).
        clip_norm: largest gradient norm; `None` does not clip.
        accumulate: in how many pieces a batch is computed; at least 1.
        ema: decay of the weights' moving average, within (0, 1), which is then what is validated and kept; `None` keeps
            the weights of the last step.
        patience: after how many looks at validation without gain training stops, with the best weights seen; `None`
            goes on to the last step and keeps its weights.
        compile: whether the student's forward and backward pass go through `torch.compile`.
        balance: whether the objective's weights are shares of the gradient, measured at a stage's first step.
        gradient_shares: whether each term's share of the gradient is logged, whenever validation is looked at.
        evaluations: how often validation is looked at, evenly over the run, the last step included.
        fast: prefixes of parameter names that learn at the full rate, the others at `slow_share` of it; empty: all.
        slow_share: of the rate, 0 < share <= 1.
        checkpoint_seconds: least time between two checkpoints; 0 saves at every step.
    """

    optimiser: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    momentum: float = 0.9
    schedule: str = "cosine"
    warmup_share: float = 0.05
    final_share: float = 0.0
    milestones: tuple[float, ...] = (0.5, 0.75)
    step_factor: float = 0.1
    clip_norm: float | None = None
    accumulate: int = 1
    ema: float | None = None
    patience: int | None = None
    compile: bool = False
    balance: bool = False
    gradient_shares: bool = False
    evaluations: int = 20
    checkpoint_seconds: float = 30.0
    fast: tuple[str, ...] = ()
    slow_share: float = 1.0

    def __post_init__(self) -> None:
        checks = {
            "optimiser must be adamw or sgd": self.optimiser in ("adamw", "sgd"),
            f"schedule must be one of {', '.join(SCHEDULES)}": self.schedule in SCHEDULES,
            "learning_rate must be above 0": 0 < self.learning_rate < float("inf"),
            "weight_decay must be at least 0": 0 <= self.weight_decay < float("inf"),
            "momentum must be in [0, 1)": 0 <= self.momentum < 1,
            "warmup_share must be in [0, 1)": 0 <= self.warmup_share < 1,
            "final_share must be in [0, 1]": 0 <= self.final_share <= 1,
            "milestones must be ascending shares in (0, 1)": _ascending(self.milestones),
            "step_factor must be in (0, 1)": 0 < self.step_factor < 1,
            "accumulate must be at least 1": self.accumulate >= 1,
            "ema must be in (0, 1), or null": self.ema is None or 0 < self.ema < 1,
            "patience must be at least 1, or null": self.patience is None or self.patience >= 1,
            "clip_norm must be above 0, or null": self.clip_norm is None or self.clip_norm > 0,
            "slow_share must be above 0 and at most 1": 0 < self.slow_share <= 1,
            "evaluations must be at least 1": self.evaluations >= 1,
            "checkpoint_seconds must be at least 0": self.checkpoint_seconds >= 0,
        }
        wrong = [text for text, right in checks.items() if not right]
        if wrong:
            raise RecipeError(f"train: {'; '.join(wrong)}")

    def as_dict(self) -> dict[str, Any]:
        """For fingerprints: what changes the weights. How often a run is saved does not.

        How often it is looked at does where patience counts the looks.
        """
        values = asdict(self)
        del values["checkpoint_seconds"]
        for name in ("balance", "gradient_shares"):
            if not values[name]:
                del values[name]
        if self.patience is None:
            del values["evaluations"]
        return values


def _ascending(shares: tuple[float, ...]) -> bool:
    return bool(shares) and all(a < b for a, b in pairwise((0.0, *shares, 1.0)))
