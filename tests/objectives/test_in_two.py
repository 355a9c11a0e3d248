"""What one process computes, two compute: of every objective, whether it compares rows or not."""

import pytest
import torch
from safetensors.torch import load_file
from tests.training.torchrun import two_processes

from .forms import one_of_each
from .harness import CASES
from .in_two import FILE, learned_from


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """All in one pair of processes, since a pair takes seconds to start."""
    folder = tmp_path_factory.mktemp("two")
    done = two_processes("tests.objectives.in_two", folder)
    assert done.code == 0, done.output
    return load_file(folder / FILE)


@pytest.mark.parametrize("case", one_of_each(CASES), ids=lambda case: case.name)
def test_two_processes_are_one(case, two):
    """In value, in the student's gradient, in that of what is learned, and in what each process remembers."""
    one = learned_from(case)
    for name, expected in one.items():
        kept = name.removesuffix(" at 0")
        for found in (two[f"{case.name}: {each}"] for each in ([name] if kept == name else [name, f"{kept} at 1"])):
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
