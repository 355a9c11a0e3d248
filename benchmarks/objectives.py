"""Processor time and memory of each objective's part of a step, against soft targets and against torchdistill's.

Batch 256, ten classes; activations as between the Fashion-MNIST student and teacher: 32 and 64 channels of 7 x 7. Time
is the median of interleaved rounds of forward and backward pass on one thread, in processor time; memory is what the
graph keeps for the backward pass. `pip install torchdistill` adds the last two columns.
"""

import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from weakref import WeakSet

import torch
from torch import Tensor

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives import (
    CRD,
    DIST,
    DKD,
    FSP,
    NST,
    PKT,
    VID,
    AttentionTransfer,
    ChannelWise,
    CorrelationCongruence,
    HardLabels,
    Hint,
    JensenShannon,
    LogitMSE,
    Objective,
    ReverseKL,
    Review,
    RKDAngle,
    RKDDistance,
    SimilarityPreserving,
    SkewKL,
    SoftTargets,
)

ROWS, CLASSES, ROUNDS = 256, 10, 31
Step = Callable[[], Tensor]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


LOGITS, OTHER = drawn(ROWS, CLASSES).requires_grad_(), drawn(ROWS, CLASSES, seed=1)
MAP, MAP_OTHER = drawn(ROWS, 32, 7, 7).requires_grad_(), drawn(ROWS, 64, 7, 7, seed=1)
SECOND, SECOND_OTHER = drawn(ROWS, 32, 7, 7, seed=2).requires_grad_(), drawn(ROWS, 64, 7, 7, seed=3)
ALIKE = drawn(ROWS, 32, 7, 7, seed=4)
BATCH = Batch(
    torch.arange(ROWS), torch.zeros(ROWS, dtype=torch.int64), torch.zeros(ROWS, 1),
    target=torch.randint(0, CLASSES, (ROWS,), generator=torch.Generator().manual_seed(2)),
)  # fmt: skip
OURS: dict[str, Objective] = {
    "soft-targets": SoftTargets(2.0),
    "hard-labels": HardLabels(),
    "reverse-kl": ReverseKL(temperature=2.0),
    "jensen-shannon": JensenShannon(temperature=2.0),
    "skew-kl": SkewKL(temperature=2.0),
    "logit-mse": LogitMSE(),
    "dkd": DKD(),
    "dist": DIST(),
    "rkd-distance": RKDDistance(),
    "rkd-angle": RKDAngle(),
    "similarity-preserving": SimilarityPreserving(),
    "correlation-congruence": CorrelationCongruence(),
    "pkt": PKT(),
    "hint": Hint("a", "a", variant="mean-square"),
    "attention-transfer": AttentionTransfer("a", "a", variant="mean-square"),
    "channel-wise": ChannelWise("a", "a"),
    "nst": NST("a", "a"),
    "vid": VID("a", "a"),
    "fsp": FSP(("a", "b"), ("a", "b")),
    "review": Review(("a", "b"), ("a", "b")),
    "crd": CRD("a", "a"),
}


def ours(objective: Objective) -> Step:
    torch.manual_seed(0)
    mine, other = {"a": MAP, "b": SECOND}, {"a": MAP_OTHER, "b": SECOND_OTHER}
    shapes = ({path: tuple(each.shape[1:]) for path, each in side.items()} for side in (mine, other))
    objective.build(*shapes)
    student, teacher = Signals(LOGITS, mine), Signals(OTHER, other)
    return lambda: torch.stack(list(objective.terms(student, teacher, BATCH).values())).sum()


def theirs() -> dict[str, tuple[Step, Step]]:
    """Pairs of (theirs, ours on the same tensors) for what both have; none where torchdistill is not installed."""
    if find_spec("torchdistill") is None:
        return {}
    from torchdistill.losses import mid_level

    def said(tensor: Tensor) -> dict[str, dict[str, Tensor]]:
        return {"tap": {"output": tensor}}

    tap = {"path": "tap", "io": "output"}
    pairs = {"pair": {"student": tap, "teacher": tap}}
    distance = mid_level.RKDLoss("tap", "tap", dist_factor=1, angle_factor=0, reduction="mean")
    angle = mid_level.RKDLoss("tap", "tap", dist_factor=0, angle_factor=1, reduction="mean")
    pkt = mid_level.PKTLoss("tap", "output", "tap", "output")
    alike = mid_level.SPKDLoss("tap", "tap", reduction="batchmean")
    attention = mid_level.ATLoss(pairs, mode="code")

    def on_logits(loss: Callable[..., Tensor]) -> Step:
        return lambda: loss(said(LOGITS), said(OTHER))

    def own(objective: Objective) -> Step:
        return lambda: objective(LOGITS, OTHER)

    shared = AttentionTransfer("a", "a", variant="mean-square")
    shared.build({"a": (32, 7, 7)}, {"a": (32, 7, 7)})
    student, teacher = Signals(features={"a": MAP}), Signals(features={"a": ALIKE})
    return {
        "rkd-distance": (on_logits(distance), own(RKDDistance(variant="code"))),
        "rkd-angle": (on_logits(angle), own(RKDAngle(variant="code"))),
        "pkt": (on_logits(pkt), own(PKT(variant="code"))),
        "similarity-preserving": (on_logits(alike), own(SimilarityPreserving())),
        "attention-transfer": (
            lambda: attention(said(MAP), said(ALIKE)),
            lambda: next(iter(shared.terms(student, teacher, BATCH).values())),
        ),
    }


def seconds(step: Step) -> float:
    began = time.process_time()
    step().backward()
    return time.process_time() - began


def medians(steps: dict[str, Step]) -> dict[str, float]:
    """Milliseconds of each, in rounds that take all of them in turn; the first two rounds warm up."""
    took: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS + 2):
        for name, step in steps.items():
            took[name].append(seconds(step))
    return {name: 1e3 * statistics.median(each[2:]) for name, each in took.items()}


class Held:
    """A tensor that a graph keeps; it goes when the graph lets go of it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def kept_kilobytes(step: Step) -> float:
    """Of the tensors that the finished graph keeps, each storage once."""
    there: WeakSet[Held] = WeakSet()

    def keep(tensor: Tensor) -> Held:
        held = Held(tensor)
        there.add(held)
        return held

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda held: held.tensor):
        value = step()
    storages = {held.tensor.untyped_storage().data_ptr(): held.tensor.untyped_storage().nbytes() for held in there}
    del value
    return sum(storages.values()) / 1024


def main() -> None:
    torch.set_num_threads(1)
    steps = {name: ours(objective) for name, objective in OURS.items()}
    took = medians(steps)
    both = theirs()
    against = medians(
        {
            f"{who} {name}": step
            for name, pair in both.items()
            for who, step in zip(("theirs", "ours"), pair, strict=True)
        }
    )
    print("| objective | ms a step | times soft targets | kept for backward | torchdistill's, ms | ours over theirs |")
    print("|---|---|---|---|---|---|")
    for name, step in steps.items():
        row = (
            f"| {name} | {took[name]:.2f} | {took[name] / took['soft-targets']:.1f} | {kept_kilobytes(step):,.0f} KB |"
        )
        if name in both:
            other, own = against[f"theirs {name}"], against[f"ours {name}"]
            print(f"{row} {other:.2f} | {own / other:.2f} |")
        else:
            print(f"{row} | |")


if __name__ == "__main__":
    main()
