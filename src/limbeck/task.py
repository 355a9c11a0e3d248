"""What kind of answer the models give: output shape, targets, scores, and what may teach them.

Everything that depends on the kind of task asks the `Task`; nothing else says `if multiclass`. It works on NumPy
arrays, so that exported students are judged without torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int
from scipy.special import log_softmax, logsumexp

from limbeck.errors import DataError, RecipeError

Array = np.ndarray[Any, np.dtype[Any]]


ANY_TASK = frozenset(
    {
        "rkd-distance",
        "rkd-angle",
        "similarity-preserving",
        "correlation-congruence",
        "pkt",
        "embedding",
        "hint",
        "attention-transfer",
        "channel-wise",
        "nst",
        "vid",
        "mgd",
        "pkd",
        "tinybert-hidden",
        "activation-boundaries",
        "factor-transfer",
        "fsp",
        "attention-relations",
        "review",
        "crd",
    }
)
"""Objectives on how rows relate, or on activations: they are defined whatever a model's outputs mean."""

OBJECTIVES: Mapping[str, frozenset[str]] = {
    "multiclass": ANY_TASK
    | {"soft-targets", "hard-labels", "teacher-labels"}
    | {"reverse-kl", "jensen-shannon", "skew-kl", "logit-mse", "dkd", "dist", "ofa", "gradient-attention"}
    | {"cwtm", "dkpp"},
    "binary": ANY_TASK | {"binary-targets", "binary-labels", "logit-mse"},
    "multilabel": ANY_TASK | {"binary-targets", "binary-labels", "logit-mse"},
    "regression": ANY_TASK | {"regression-targets", "regression-labels", "bounded-regression"},
    "ranking": ANY_TASK | {"margin-mse"},
    "embedding": ANY_TASK,
}
"""Kind of task -> objectives that are defined for its outputs; tasks that are not built yet are decided here too."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What "better" means for a task.

    Attributes:
        name: key into the task's scores.
        higher_is_better: direction.
        percent: whether people read it in percent, so that differences are "points".
    """

    name: str
    higher_is_better: bool
    percent: bool = False


class Task(Protocol):
    """One kind of answer. Scores are *per example*, so that means, intervals and paired tests are all one code."""

    @property
    def name(self) -> str:
        """Its name in recipes."""
        ...

    @property
    def metric(self) -> Metric:
        """The primary metric: a key of `scores`."""
        ...

    @property
    def objectives(self) -> frozenset[str]:
        """Names of the objectives (recipe names) that are defined for this task."""
        ...

    @property
    def calibrated(self) -> bool:
        """Whether outputs are probabilities, so that calibration can be measured."""
        ...

    def outputs(self, classes: Sequence[str]) -> int:
        """Width of a model's last axis."""
        ...

    def check_target(self, target: Array, classes: Sequence[str]) -> None:
        """Raises `DataError` unless every known target is one this task can have."""
        ...

    def scores(self, logits: Array, target: Array) -> Mapping[str, Array]:
        """Quality of each row by name (the metric's name among them), each of shape `(n,)`."""
        ...

    def fidelity(self, student: Array, teacher: Array) -> Mapping[str, Array]:
        """How far each row of the student's output is the teacher's, by name, each of shape `(n,)`."""
        ...

    def postprocess(self, logits: Array) -> Mapping[str, Array]:
        """What a user wants to see of each row: labels, probabilities, values."""
        ...


@dataclass(frozen=True, slots=True)
class Multiclass:
    """Exactly one of several classes; a target is the class's index, -1 where it is unknown."""

    name: str = "multiclass"
    metric: Metric = field(default=Metric("accuracy", higher_is_better=True, percent=True))
    objectives: frozenset[str] = OBJECTIVES["multiclass"]
    calibrated: bool = True

    def outputs(self, classes: Sequence[str]) -> int:
        """As many as classes."""
        return len(classes)

    def check_target(self, target: Array, classes: Sequence[str]) -> None:
        """Refuses labels outside -1 (unknown) .. classes - 1.

        Raises:
            DataError: names the first offender.
        """
        wrong = np.flatnonzero((target < -1) | (target >= len(classes)))
        if wrong.size:
            row = int(wrong[0])
            raise DataError(
                f"label out of range: row {row} has label {int(target[row])}, but there are {len(classes)} classes "
                f"(0 to {len(classes) - 1}); fix the labels or name all classes in data.classes"
            )

    def scores(
        self, logits: Float[np.ndarray, "n classes"], target: Int[np.ndarray, " n"]
    ) -> Mapping[str, Float[np.ndarray, " n"]]:
        """`accuracy` (0 or 1), `nll` in nats, and `brier` (0..2, the multi-class sum of squares) of each row."""
        log_p = log_softmax(logits.astype(np.float64), axis=1)
        rows = np.arange(len(target))
        p = np.exp(log_p)
        brier = (p**2).sum(1) - 2 * p[rows, target] + 1
        return {
            "accuracy": (logits.argmax(1) == target).astype(np.float64),
            "nll": -log_p[rows, target],
            "brier": brier,
        }

    def fidelity(
        self, student: Float[np.ndarray, "n classes"], teacher: Float[np.ndarray, "n classes"]
    ) -> Mapping[str, Float[np.ndarray, " n"]]:
        """`agreement` of the top label (0 or 1) and `kl` = KL(teacher || student) at T=1 in nats."""
        log_s = log_softmax(student.astype(np.float64), axis=1)
        log_t = log_softmax(teacher.astype(np.float64), axis=1)
        return {
            "agreement": (student.argmax(1) == teacher.argmax(1)).astype(np.float64),
            "kl": (np.exp(log_t) * (log_t - log_s)).sum(1),
        }

    def postprocess(self, logits: Float[np.ndarray, "n classes"]) -> Mapping[str, Array]:
        """`label` (class index) and `probabilities`.

        Example:
            >>> Multiclass().postprocess(np.array([[0.0, 2.0]]))["label"]
            array([1])
        """
        logits = logits.astype(np.float64)
        p = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
        return {"label": logits.argmax(1), "probabilities": p}


RANGES: Mapping[str, tuple[float, float]] = {
    "accuracy": (0.0, 1.0),
    "agreement": (0.0, 1.0),
    "brier": (0.0, 2.0),
    "ece": (0.0, 1.0),
    "kl": (0.0, inf),
    "nll": (0.0, inf),
}
"""What a measure can be at all, by name: intervals of it are cut there; others are not."""

TASKS: Mapping[str, Task] = {"multiclass": Multiclass()}


def named(name: str) -> Task:
    """The task of that name.

    Raises:
        RecipeError: there is none.
    """
    if name not in TASKS:
        raise RecipeError(f"task: {name!r} is not built yet; use one of: {', '.join(TASKS)}")
    return TASKS[name]
