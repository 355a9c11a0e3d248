"""Measures how often the verdict errs where the truth is known; prints the tables of docs/verdict.md.

Run: python benchmarks/verdict_proof.py [comparisons a cell, 2000]
"""

import sys
from itertools import count
from time import perf_counter

import numpy as np

from limbeck.studies.interval import spread
from limbeck.studies.proof import World, simulated
from limbeck.studies.verdict import compare, seeds_needed

SPREADS = (0.003, 0.005, 0.008)


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def false_alarms(comparisons: int) -> None:
    print("| test examples | accuracy, % | *beats*, % (0.3 / 0.5 / 0.8) | *worse*, % | +2 points found, % |")
    print("|---|---|---|---|---|")
    cells = count()  # a random seed of its own for every cell
    for examples in (360, 10_000):
        everything = []
        for accuracy in (0.90, 0.95, 0.97):
            same, gained = (
                [
                    simulated(World(examples, accuracy, gain, seed_sd=sd), comparisons=comparisons, seed=next(cells))
                    for sd in SPREADS
                ]
                for gain in (0.0, 0.02)
            )
            everything += same
            columns = [r.beats for r in same], [r.worse for r in same], [r.beats for r in gained]
            row = " | ".join(" / ".join(percent(value) for value in column) for column in columns)
            print(f"| {examples:,} | {100 * accuracy:.0f} | {row} |", flush=True)
        beats, worse = (np.mean([getattr(r, name) for r in everything]) for name in ("beats", "worse"))
        print(f"| {examples:,} | all nine | {100 * beats:.2f} | {100 * worse:.2f} | |", flush=True)


def mixed(rng: np.random.Generator, examples: int, gain: float = 0.0, own_sd: float = 0.0) -> World:
    return World(examples, rng.uniform(0.90, 0.97), gain=gain, seed_sd=rng.uniform(0.003, 0.008), own_sd=own_sd)


def mixes(comparisons: int) -> None:
    print("\n| case | seeds | test examples | beats, % | worse, % | no gain, % | interval holds the truth, % |")
    print("|---|---|---|---|---|---|---|")
    cases = [("A/A", 0.0, 0.0), ("different kinds of model, equally good", 0.0, 1.0), ("+2 points", 0.02, 0.0)]
    for name, gain, own in cases:
        for seeds in (3, 5, 10):
            for examples in (360, 10_000):
                rates = simulated(
                    lambda rng, n=examples, g=gain, o=own: mixed(rng, n, g, o), comparisons=comparisons, seeds=seeds
                )
                cells = map(percent, (rates.beats, rates.worse, rates.no_gain, rates.covered or 0.0))
                print(f"| {name} | {seeds} | {examples:,} | {' | '.join(cells)} |", flush=True)
    for examples in (360, 1_000, 10_000):
        rates = simulated(World(examples, 0.99, gain=0.005, seed_sd=0.0005, own_sd=1.0), comparisons=comparisons)
        cells = map(percent, (rates.beats, rates.worse, rates.no_gain, rates.covered or 0.0))
        print(f"| gain = margin, quiet seeds, 99% | 5 | {examples:,} | {' | '.join(cells)} |", flush=True)


def second_look(comparisons: int) -> None:
    """False alarms when an inconclusive verdict is followed once, with as many seeds as it named (at most 40)."""
    rng = np.random.default_rng(1)
    first = second = 0
    for _ in range(comparisons):
        arm, against = mixed(rng, 10_000).draw(rng, 40)
        words = {"higher_is_better": True, "metric": "accuracy", "percent": True}
        words |= {"arm": "student", "against": "baseline"}
        verdict = compare(arm[:5], against[:5], **words)
        found = verdict.outcome not in {"no-gain", "inconclusive"}
        first += found
        if verdict.outcome == "inconclusive":
            needed = min(seeds_needed(spread(arm[:5] * 1.0 - against[:5], binary=True), 0.005) or 40, 40)
            verdict = compare(arm[:needed], against[:needed], **words)
            found = verdict.outcome not in {"no-gain", "inconclusive"}
        second += found
    print(f"\nbeats or worse, A/A, 10,000 examples: first look {percent(first / comparisons)}%, ", end="")
    print(f"after following `seeds_needed` once {percent(second / comparisons)}%")


if __name__ == "__main__":
    start = perf_counter()
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    false_alarms(runs)
    mixes(runs)
    second_look(runs // 2)
    print(f"\n{runs} comparisons a cell, {perf_counter() - start:.0f} s")
