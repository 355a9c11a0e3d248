"""Several models asked as one."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from limbeck.teachers.rules import Panel, combined


def pooled(logits: Sequence[Float[np.ndarray, "n classes"]]) -> Float[np.ndarray, "n classes"]:
    """Logits whose softmax is the mean of the models' probabilities.

    Args:
        logits: each model's own, of the same examples.

    Example:
        >>> sure, unsure = np.array([[9.0, 0.0]], np.float32), np.zeros((1, 2), np.float32)
        >>> round(float(np.exp(pooled([sure, unsure]))[0, 0]), 2)
        0.75
    """
    alike = Panel("probabilities", (1 / len(logits),) * len(logits), (None,) * len(logits))
    found: Float[np.ndarray, "n classes"] = combined([torch.from_numpy(each) for each in logits], alike).numpy()
    return found
