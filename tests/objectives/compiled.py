"""Compiled objectives against eager ones, in a process without the tests' shape checks: `python -m` this.

Arguments: the backend, and names of cases; without names, one case of each form.
"""

import sys

import torch

from .case import Case
from .forms import one_of_each
from .harness import CASES, value_and_gradients


def compiled_is_the_same(case: Case, backend: str = "aot_eager") -> None:
    world, objective = case.fresh().cast(torch.float32), case.ready()
    torch.compiler.reset()
    compiled = torch.compile(objective, backend=backend, dynamic=False, fullgraph=True)
    found, expected = (value_and_gradients(each, world) for each in (compiled, objective))
    assert torch.allclose(found[0], expected[0], rtol=1e-6), case.name
    for same, plain in zip(found[1:], expected[1:], strict=True):
        assert torch.allclose(plain, same, rtol=1e-5, atol=1e-7), case.name


if __name__ == "__main__":
    torch.set_num_threads(1)
    backend, *names = sys.argv[1:]
    for each in [case for case in CASES if case.name in names] if names else one_of_each(CASES):
        compiled_is_the_same(each, backend)
        sys.stdout.write(f"{each.name}\n")
