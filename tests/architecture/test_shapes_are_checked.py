"""The hook of conftest.py works: a wrong shape is caught where it is passed, and nothing else is touched."""

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from limbeck.core.batch import Batch
from limbeck.core.identity import fingerprint
from limbeck.objectives.soft_targets import SoftTargets, soft_targets_rows
from limbeck.task import Multiclass


def test_a_function_refuses_shapes_that_do_not_agree():
    with pytest.raises(TypeCheckError):
        soft_targets_rows(torch.zeros(2, 3), torch.zeros(2, 4), 1.0)
    with pytest.raises(TypeCheckError):
        soft_targets_rows(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3), 1.0)


def test_so_does_a_method():
    with pytest.raises(TypeCheckError):
        Multiclass().scores(np.zeros((3, 2)), np.zeros(4, dtype=np.int64))


def test_so_does_a_dataclass():
    with pytest.raises(TypeCheckError):
        Batch(ids=torch.zeros(2, 1, dtype=torch.int64), views=torch.zeros(2, dtype=torch.int64), inputs=torch.zeros(2))


def test_right_shapes_pass_and_names_stay():
    assert soft_targets_rows(torch.zeros(2, 3), torch.zeros(2, 3), 1.0).shape == (2,)
    assert soft_targets_rows.__name__ == "soft_targets_rows"
    assert SoftTargets(temperature=2).temperature == 2


def test_functions_without_shapes_are_left_alone():
    assert not hasattr(fingerprint, "__wrapped__")
