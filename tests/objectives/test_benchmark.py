"""The benchmark of objectives knows every method, and its tensors fit all of them."""

import importlib
from pathlib import Path

import pytest
import torch

from limbeck.objectives import METHODS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def steps():
    """Its table of methods."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("objective_steps.methods")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_measured(steps, method):
    step = steps.alone(method)
    step.ready()
    step()
    assert any(leaf.grad is not None and leaf.grad.isfinite().all() and leaf.grad.any() for leaf in step.leaves)


def test_settings_are_of_methods_there_are(steps):
    assert set(steps.SETTINGS) | set(steps.TARGETS) <= set(METHODS)


def test_peaks_count_what_is_allocated_at_one_time(steps):
    measure = importlib.import_module("objective_steps.measure")
    x = torch.zeros(1024, requires_grad=True)  # 4 KB
    there_and_back = measure.Timed(lambda: (x + 1).exp().sum(), [x])
    assert 8 <= measure.peak_kilobytes(there_and_back) < 8.1  # two at a time, each way, and the loss
