"""Objectives on outputs: divergences, matched logits, relations, labels one by one, values, ranks."""

from collections.abc import Callable
from dataclasses import replace

import torch

from limbeck.core.signals import Signals
from limbeck.objectives import (
    CWTM,
    DIST,
    DKD,
    DKPP,
    BinaryLabels,
    BinaryTargets,
    BoundedRegression,
    Embedding,
    JensenShannon,
    LogitMSE,
    MarginMSE,
    RegressionLabels,
    RegressionTargets,
    ReverseKL,
    SkewKL,
    SoftTargets,
)

from . import references_outputs as references
from .case import Case, both_logits, labelled_weight, logits_and_labels
from .changes import shifted, stretched
from .worlds import ROWS, World, half_labelled_world, logits_world


def wide_world(width: int) -> Callable[[torch.Generator], World]:
    """As many outputs as asked for, and values or yes-or-no for labels."""

    def build(random: torch.Generator) -> World:
        student, teacher = (3 * torch.randn(ROWS, width, generator=random, dtype=torch.float64) for _ in range(2))
        return replace(logits_world(random), student=Signals(student), teacher=Signals(teacher))

    return build


def values_world(random: torch.Generator) -> World:
    world = wide_world(3)(random)
    target = 3 * torch.randn(ROWS, 3, generator=random, dtype=torch.float64)
    return replace(world, batch=replace(world.batch, target=target))


def yes_or_no_world(random: torch.Generator) -> World:
    world = values_world(random)
    return replace(world, batch=replace(world.batch, target=(world.batch.target > 0).double()))


def one_label_world(random: torch.Generator) -> World:
    """A label a row is one number, not a row of one."""
    world = yes_or_no_world(random)
    student, teacher = (Signals(side.logits[:, :1]) for side in (world.student, world.teacher))
    return World(student, teacher, replace(world.batch, target=world.batch.target[:, 0]))


def half_known(world_of: Callable[[torch.Generator], World]) -> Callable[[torch.Generator], World]:
    """Where the mask is false the label is nonsense."""

    def build(random: torch.Generator) -> World:
        world = world_of(random)
        mask = torch.tensor([True, False, True, True, False, True])
        target = world.batch.target.clone()
        target[~mask] = torch.nan
        return replace(world, batch=replace(world.batch, target=target, target_mask=mask))

    return build


def tapped_world(student: int, teacher: int) -> Callable[[torch.Generator], World]:
    def build(random: torch.Generator) -> World:
        widths = {"neck": student, "pool": teacher}
        signals = [
            Signals(features={tap: 3 * torch.randn(ROWS, width, generator=random, dtype=torch.float64)})
            for tap, width in widths.items()
        ]
        return World(*signals, logits_world(random).batch)

    return build


half_values_world = half_known(values_world)
half_yes_or_no_world = half_known(yes_or_no_world)


DIVERGENCES = (
    *(
        Case(
            f"reverse-kl at {t:g}",
            "reverse-kl",
            lambda t=t: ReverseKL(t),
            references.reverse_kl(t),
            divergence=True,
            plain=both_logits,
            same=(shifted,),
        )
        for t in (1.0, 3.0)
    ),
    Case(
        "reverse-kl, standardised",
        "reverse-kl",
        lambda: ReverseKL(standardize=True),
        references.reverse_kl(1.0, references.z_scores),
        divergence=True,
        plain=both_logits,
        same=(shifted, stretched),
    ),
    Case(
        "soft-targets, standardised",
        "soft-targets",
        lambda: SoftTargets(temperature=2.0, standardize=True),
        references.forward_kl(2.0, references.z_scores),
        divergence=True,
        plain=both_logits,
        same=(shifted, stretched),
    ),
    *(
        Case(
            f"jensen-shannon, beta {b:g} at {t:g}",
            "jensen-shannon",
            lambda b=b, t=t: JensenShannon(b, t),
            references.jensen_shannon(b, t),
            divergence=True,
            plain=both_logits,
            same=(shifted,),
        )
        for b, t in ((0.5, 1.0), (0.1, 2.0), (0.9, 1.0))
    ),
    *(
        Case(
            f"skew-kl, alpha {a:g}, {'reverse' if reverse else 'forward'}",
            "skew-kl",
            lambda a=a, reverse=reverse, t=t: SkewKL(a, reverse, t),
            references.skew_kl(a, reverse, t),
            divergence=True,
            plain=both_logits,
            same=(shifted,),
        )
        for a, reverse, t in ((0.1, False, 1.0), (0.1, True, 1.0), (0.7, True, 2.0), (0.0, False, 1.0))
    ),
    Case("logit-mse", "logit-mse", LogitMSE, references.logit_mse(), divergence=True, plain=both_logits),
    Case(
        "logit-mse, centred, mean",
        "logit-mse",
        lambda: LogitMSE(centre=True, scale="mean"),
        references.logit_mse(centre=True, mean=True),
        divergence=True,
        plain=both_logits,
        same=(shifted,),
    ),
    Case(
        "logit-mse, standardised",
        "logit-mse",
        lambda: LogitMSE(standardize=True),
        references.logit_mse(prepare=references.z_scores),
        divergence=True,
        plain=both_logits,
        same=(shifted, stretched),
    ),
)

RELATIONS = (
    *(
        Case(
            f"dkd at {t:g}",
            "dkd",
            lambda a=a, b=b, t=t: DKD(a, b, t),
            references.dkd(a, b, t),
            divergence=True,
            same=(shifted,),
        )
        for a, b, t in ((1.0, 8.0, 4.0), (0.5, 2.0, 1.0))
    ),
    Case(
        "dkd, standardised, some unlabelled",
        "dkd",
        lambda: DKD(temperature=2.0, standardize=True),
        references.dkd(1.0, 8.0, 2.0, references.z_scores),
        world=half_labelled_world,
        divergence=True,
        counts=labelled_weight,
        same=(shifted, stretched),
    ),
    *(
        Case(
            f"dist at {t:g}",
            "dist",
            lambda b=b, g=g, t=t: DIST(b, g, t),
            references.dist(b, g, t),
            divergence=True,
            plain=both_logits,
            same=(shifted,),
        )
        for b, g, t in ((1.0, 1.0, 1.0), (2.0, 0.5, 4.0))
    ),
)

CONTROLS = (
    *(
        Case(name, "cwtm", CWTM, references.cwtm(), world=world, counts=counts)
        for name, world, counts in (
            ("cwtm", logits_world, lambda world: world.weight),
            ("cwtm, some unlabelled", half_labelled_world, labelled_weight),
        )
    ),
    *(
        Case(f"dkpp at {t:g}, seed {seed}", "dkpp", lambda t=t, seed=seed: DKPP(t, seed), references.dkpp(t, seed))
        for t, seed in ((1.0, 0), (3.0, 7))
    ),
)

BY_LABEL = (
    *(
        Case(
            f"binary-targets, {width} at {t:g}",
            "binary-targets",
            lambda t=t: BinaryTargets(t),
            references.binary_targets(t),
            world=world,
            divergence=True,
            plain=both_logits,
        )
        for width, t, world in ((1, 1.0, wide_world(1)), (4, 3.0, wide_world(4)))
    ),
    Case(
        "binary-targets, mean",
        "binary-targets",
        lambda: BinaryTargets(scale="mean"),
        references.binary_targets(1.0, mean=True),
        divergence=True,
        plain=both_logits,
    ),
    Case(
        "binary-labels, one",
        "binary-labels",
        BinaryLabels,
        references.binary_labels(),
        world=one_label_world,
        plain=logits_and_labels,
    ),
    Case(
        "binary-labels, smoothed, mean",
        "binary-labels",
        lambda: BinaryLabels(0.2, scale="mean"),
        references.binary_labels(0.2, mean=True),
        world=yes_or_no_world,
        plain=logits_and_labels,
    ),
    Case(
        "binary-labels, some unlabelled",
        "binary-labels",
        BinaryLabels,
        references.binary_labels(),
        world=half_yes_or_no_world,
        counts=labelled_weight,
    ),
)

VALUES = (
    *(
        Case(
            f"regression-targets, {kind}",
            "regression-targets",
            lambda kind=kind, delta=delta: RegressionTargets(kind, delta),
            references.row_by_row(references.error(kind, delta)),
            world=values_world,
            divergence=True,
            plain=both_logits,
        )
        for kind, delta in (("squared", 1.0), ("huber", 2.0))
    ),
    Case(
        "regression-labels",
        "regression-labels",
        RegressionLabels,
        references.against_labels(references.error("squared")),
        world=values_world,
        plain=logits_and_labels,
    ),
    Case(
        "regression-labels, huber, some unlabelled",
        "regression-labels",
        lambda: RegressionLabels("huber", 0.5),
        references.against_labels(references.error("huber", 0.5)),
        world=half_values_world,
        counts=labelled_weight,
    ),
    Case(
        "bounded-regression",
        "bounded-regression",
        BoundedRegression,
        references.bounded_regression(0.0),
        world=values_world,
    ),
    Case(
        "bounded-regression, margin, some unlabelled",
        "bounded-regression",
        lambda: BoundedRegression(margin=5.0),
        references.bounded_regression(5.0),
        world=half_values_world,
        counts=labelled_weight,
    ),
    Case(
        "embedding of outputs",
        "embedding",
        Embedding,
        references.embedding("cosine"),
        divergence=True,
        plain=both_logits,
        same=(stretched,),
    ),
    Case(
        "embedding at taps",
        "embedding",
        lambda: Embedding("squared", "neck", "pool"),
        references.embedding("squared", ("neck", "pool")),
        world=tapped_world(4, 4),
    ),
    Case(
        "embedding at taps of other widths",
        "embedding",
        lambda: Embedding("cosine", "neck", "pool"),
        references.embedding("cosine", ("neck", "pool"), bridged=True),
        world=tapped_world(3, 5),
        learned=True,
    ),
    Case(
        "margin-mse",
        "margin-mse",
        MarginMSE,
        references.row_by_row(references.margin_mse),
        divergence=True,
        plain=both_logits,
        same=(shifted,),
    ),
)

CASES = (*DIVERGENCES, *RELATIONS, *CONTROLS, *BY_LABEL, *VALUES)
