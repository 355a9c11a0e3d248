"""Compiled objectives against eager ones, in a process without the tests' shape checks: `python -m` this."""

import sys

import torch

from .case import Case
from .harness import CASES, value_and_gradients


def one_of_each(cases):
    """Temperatures make no other graph, and of activations one layout stands for all."""
    return {_kind(case): case for case in cases}.values()


def _kind(case: Case):
    reads_logits = case.fresh().student.logits is not None
    return case.method, case.counts, case.learned, case.world if reads_logits else None


def compiled_is_the_same(case: Case) -> None:
    world, objective = case.fresh().cast(torch.float32), case.ready()
    torch.compiler.reset()
    compiled = torch.compile(objective, backend="aot_eager", dynamic=False, fullgraph=True)
    found, expected = (value_and_gradients(each, world) for each in (compiled, objective))
    assert torch.allclose(found[0], expected[0], rtol=1e-6)
    for same, plain in zip(found[1:], expected[1:], strict=True):
        assert torch.allclose(plain, same, rtol=1e-5, atol=1e-7)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for each in one_of_each(CASES):
        compiled_is_the_same(each)
        sys.stdout.write(f"{each.name}\n")
