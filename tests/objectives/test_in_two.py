"""What one process computes, two compute: of every objective, whether it compares rows or not."""

import torch
from safetensors.torch import load_file
from tests.training.torchrun import two_processes

from .forms import one_of_each
from .harness import CASES
from .in_two import FILE, learned_from


def test_two_processes_are_one(tmp_path):
    """In value, in the student's gradient, in that of what is learned, and in what each process remembers.

    One test, since a pair of processes takes seconds to start.
    """
    done = two_processes("tests.objectives.in_two", tmp_path)
    assert done.code == 0, done.output
    two, other = load_file(tmp_path / FILE), []
    for case in one_of_each(CASES):
        for name, expected in learned_from(case).items():
            kept = name.removesuffix(" at 0")
            for each in (name,) if kept == name else (name, f"{kept} at 1"):
                found = two.pop(f"{case.name}: {each}")
                if not torch.allclose(found, expected, rtol=1e-10, atol=1e-12):
                    other.append(f"{case.name}: {each}")
    assert other == []
    assert not two, "what one process has not"
