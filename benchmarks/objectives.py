"""Time and memory of every objective: alone, in a whole training step, and against torchdistill's.

Time is processor time on one thread: the median of rounds in which the two that are compared take turns, in either
order. `objective_steps/` says what is measured with which settings, and how. `pip install torchdistill` adds the
second table.
"""

import os
from collections.abc import Callable

import torch
from objective_steps.measure import Timed, kept_kilobytes, medians, peak_kilobytes, settle_memory
from objective_steps.methods import alone
from objective_steps.torchdistills import Pair, pairs
from objective_steps.training import TrainingStep

from limbeck.objectives import METHODS

BASE = "soft-targets"


def beside_base(make: Callable[[str], Timed], method: str) -> tuple[Timed, float, float]:
    """The step, its milliseconds, and how many times as long it takes as with soft targets."""
    step = make(method)
    took = medians({"base": make(BASE), "step": step})
    return step, took["step"], took["step"] / took["base"]


def methods() -> None:
    print("| objective | ms | times soft targets | peak, KB | kept, KB | step, ms | times soft targets' | peak, MB |")
    print("|---|---|---|---|---|---|---|---|")
    for method in METHODS:
        part, part_ms, times = beside_base(alone, method)
        step, step_ms, step_times = beside_base(TrainingStep, method)
        print(
            f"| {method} | {part_ms:.2f} | {times:.1f} | {peak_kilobytes(part):,.0f} | {kept_kilobytes(part):,.0f} "
            f"| {step_ms:.1f} | {step_times:.2f} | {peak_kilobytes(step) / 1024:.1f} |",
            flush=True,
        )


def same(pair: Pair, theirs: float, ours: float) -> str:
    """Says whether both give one value; refuses a difference that is not known."""
    if pair.times is None:
        return "no"
    if abs(theirs - pair.times * ours) > 1e-4 * abs(theirs):
        raise ValueError(f"{pair.method}: theirs is {theirs}, ours {ours}, expected {pair.times} times as much")
    return "yes" if pair.times == 1 else f"{pair.times:.3f} of it"


def against() -> None:
    every = pairs()
    if not every:
        print("torchdistill is not installed: there is nothing to compare with")
        return
    print(
        "| torchdistill's | ours | same value | theirs, ms | ours, ms | ratio | their peak, KB | our peak, KB | ratio |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, pair in every.items():
        theirs, ours = pair.timed()
        alike = same(pair, *(each.step().detach().item() for each in (theirs, ours)))
        took = medians({"theirs": theirs, "ours": ours})
        more, less = peak_kilobytes(theirs), peak_kilobytes(ours)
        print(
            f"| {name} | {pair.method} | {alike} | {took['theirs']:.2f} | {took['ours']:.2f} "
            f"| {took['ours'] / took['theirs']:.2f} | {more:,.0f} | {less:,.0f} | {less / more:.2f} |",
            flush=True,
        )


def main() -> None:
    torch.set_num_threads(1)
    settle_memory()
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    methods()
    print()
    against()


if __name__ == "__main__":
    main()
