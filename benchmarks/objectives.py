"""Time and memory of every objective: alone, in a whole training step, and against torchdistill's.

Time is the median of interleaved rounds on one thread, in processor time. `objective_steps/` says what is measured
with which settings, and how. `pip install torchdistill` adds the second table.
"""

import os
import platform

import torch
from objective_steps.measure import kept_kilobytes, medians, peak_kilobytes
from objective_steps.methods import alone
from objective_steps.torchdistills import Pair, pairs
from objective_steps.training import TrainingStep

from limbeck.objectives import METHODS

ROUNDS = 31
BASE = "soft-targets"


def methods() -> None:
    parts, steps = ({method: kind(method) for method in METHODS} for kind in (alone, TrainingStep))
    took = medians(
        {
            f"{what} {method}": step
            for what, each in (("part", parts), ("step", steps))
            for method, step in each.items()
        },
        ROUNDS,
    )
    print(
        "| objective | ms | times soft targets | peak, KB | kept, KB | whole step, ms | over soft targets' | peak, MB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for method in METHODS:
        part, step = took[f"part {method}"], took[f"step {method}"]
        base = took[f"part {BASE}"], took[f"step {BASE}"]
        print(
            f"| {method} | {part:.2f} | {part / base[0]:.1f} | {peak_kilobytes(parts[method]):,.0f} "
            f"| {kept_kilobytes(parts[method]):,.0f} | {step:.1f} | {step / base[1]:.2f} "
            f"| {peak_kilobytes(steps[method]) / 1024:.1f} |"
        )


def same(pair: Pair, theirs: float, ours: float) -> str:
    """Says whether both give one value; refuses a difference that is not known."""
    if pair.times is None:
        return "no"
    if abs(theirs - pair.times * ours) > 1e-4 * abs(theirs):
        raise ValueError(f"{pair.method}: theirs is {theirs}, ours {ours}, expected {pair.times} times as much")
    return "yes" if pair.times == 1 else f"but for a factor {pair.times:.2g}"


def against() -> None:
    every = pairs()
    if not every:
        print("torchdistill is not installed")
        return
    timed = {name: pair.timed() for name, pair in every.items()}
    values = {name: [each.step().detach().item() for each in both] for name, both in timed.items()}
    took = medians(
        {
            f"{who} {name}": each
            for name, both in timed.items()
            for who, each in zip(("theirs", "ours"), both, strict=True)
        },
        ROUNDS,
    )
    print(
        "| torchdistill's | ours | same value | theirs, ms | ours, ms | ratio | their peak, KB | our peak, KB | ratio |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, pair in every.items():
        theirs, ours = took[f"theirs {name}"], took[f"ours {name}"]
        more, less = (peak_kilobytes(each) for each in timed[name])
        print(
            f"| {name} | {pair.method} | {same(pair, *values[name])} | {theirs:.2f} | {ours:.2f} | {ours / theirs:.2f} "
            f"| {more:,.0f} | {less:,.0f} | {less / more:.2f} |"
        )


def main() -> None:
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}\n")
    methods()
    print()
    against()


if __name__ == "__main__":
    main()
