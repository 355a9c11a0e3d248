"""The state of every random generator that a training step may draw from, as tensors for a checkpoint."""

import random
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def states() -> dict[str, Tensor]:
    """Python's, NumPy's and torch's global generators, by name."""
    version, words, gauss = random.getstate()
    assert version == 3, "Python's generator has had this form since 3.2"
    numpy = np.random.get_state(legacy=False)  # noqa: NPY002 - users' modules may draw from the global state
    found = {
        "random/cpu": torch.get_rng_state(),
        "random/python": torch.tensor(words, dtype=torch.int64),
        "random/python-gauss": torch.tensor([] if gauss is None else [gauss], dtype=torch.float64),
        "random/numpy": torch.tensor([*numpy["state"]["key"].tolist(), numpy["state"]["pos"], numpy["has_gauss"]]),
        "random/numpy-gauss": torch.tensor([numpy["gauss"]], dtype=torch.float64),
    }
    if torch.cuda.is_available():
        found["random/cuda"] = torch.cuda.get_rng_state()
    return found


def restore(found: Mapping[str, Tensor]) -> None:
    """The inverse of `states`; other tensors are left alone."""
    torch.set_rng_state(found["random/cpu"])
    if "random/cuda" in found and torch.cuda.is_available():
        torch.cuda.set_rng_state(found["random/cuda"])
    gauss = found["random/python-gauss"].tolist()
    random.setstate((3, tuple(found["random/python"].tolist()), gauss[0] if gauss else None))
    *key, position, has_gauss = found["random/numpy"].tolist()
    np.random.set_state(  # noqa: NPY002 - the same
        {
            "bit_generator": "MT19937",
            "state": {"key": np.array(key, dtype=np.uint32), "pos": position},
            "has_gauss": has_gauss,
            "gauss": found["random/numpy-gauss"].item(),
        }
    )
