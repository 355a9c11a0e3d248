"""Objectives on outputs: divergences, matched logits, relations, labels one by one, values, ranks."""

from functools import partial
from math import log

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

from . import references_limits as limits
from . import references_outputs as references
from .case import Case, both_logits, labelled_weight, logits_and_labels
from .changes import moved, negated, reversed_classes, shifted, stretched, together, turned
from .limits import Limit, Limits
from .worlds import half_labelled_world, logits_world
from .worlds_outputs import (
    half_values_world,
    half_yes_or_no_world,
    one_label_world,
    tapped_world,
    values_world,
    wide_world,
    yes_or_no_world,
)

REVERSED = together(reversed_classes)
"""Classes in another order."""

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
            alike=(REVERSED,),
            limits=Limits(ReverseKL, Limit(limits.hot_divergence()), Limit(limits.cold_reverse(), -1)),
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
        alike=(REVERSED,),
    ),
    Case(
        "soft-targets, standardised",
        "soft-targets",
        lambda: SoftTargets(temperature=2.0, standardize=True),
        references.forward_kl(2.0, references.z_scores),
        divergence=True,
        plain=both_logits,
        same=(shifted, stretched),
        alike=(REVERSED,),
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
            alike=(REVERSED,),
            limits=Limits(
                partial(JensenShannon, b),
                Limit(limits.hot_divergence(b * (1 - b))),
                Limit(limits.cold_disagreement(limits.jensen_shannon_apart(b)), -2),
            ),
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
            alike=(REVERSED,),
            limits=Limits(
                partial(SkewKL, a, reverse),
                Limit(limits.hot_divergence((1 - a) ** 2)),
                Limit(limits.cold_disagreement(-log(a)), -2) if a else Limit(limits.cold_forward(), -1),
            ),
        )
        for a, reverse, t in ((0.1, False, 1.0), (0.1, True, 1.0), (0.7, True, 2.0), (0.0, False, 1.0))
    ),
    Case(
        "logit-mse",
        "logit-mse",
        LogitMSE,
        references.logit_mse(),
        divergence=True,
        plain=both_logits,
        alike=(REVERSED, together(shifted), together(turned)),
    ),
    Case(
        "logit-mse, centred, mean",
        "logit-mse",
        lambda: LogitMSE(centre=True, scale="mean"),
        references.logit_mse(centre=True, mean=True),
        divergence=True,
        plain=both_logits,
        same=(shifted,),
        alike=(REVERSED,),
    ),
    Case(
        "logit-mse, standardised",
        "logit-mse",
        lambda: LogitMSE(standardize=True),
        references.logit_mse(prepare=references.z_scores),
        divergence=True,
        plain=both_logits,
        same=(shifted, stretched),
        alike=(REVERSED,),
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
            limits=Limits(partial(DKD, a, b), Limit(limits.hot_dkd(a, b)), Limit(limits.cold_dkd(a, b), -1)),
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
            alike=(REVERSED,),
            limits=Limits(partial(DIST, b, g), Limit(limits.hot_dist(b, g), -2, far=1e3), Limit(limits.nothing)),
        )
        for b, g, t in ((1.0, 1.0, 1.0), (2.0, 0.5, 4.0))
    ),
)

CONTROLS = (
    *(
        Case(
            name,
            "cwtm",
            CWTM,
            references.cwtm(),
            world=world,
            counts=counts,
            same=(shifted,),
            teacher_same=(reversed_classes,),
        )
        for name, world, counts in (
            ("cwtm", logits_world, lambda world: world.weight),
            ("cwtm, some unlabelled", half_labelled_world, labelled_weight),
        )
    ),
    *(
        Case(
            f"dkpp at {t:g}, seed {seed}",
            "dkpp",
            lambda t=t, seed=seed: DKPP(t, seed),
            references.dkpp(t, seed),
            same=(shifted,),
            limits=Limits(partial(DKPP, seed=seed), Limit(limits.hot_dkpp(seed)), Limit(limits.cold_forward(), -1)),
        )
        for t, seed in ((1.0, 0), (3.0, 7))
    ),
    Case(
        "dkpp, standardised",
        "dkpp",
        lambda: DKPP(2.0, standardize=True),
        references.dkpp(2.0, 0, references.z_scores),
        same=(shifted, stretched),
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
            alike=(REVERSED, together(negated)),
            limits=Limits(BinaryTargets, Limit(limits.hot_binary()), Limit(limits.cold_binary(), -1)),
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
        alike=(REVERSED, together(negated)),
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
            alike=(REVERSED, together(negated), together(shifted)),
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
        alike=(together(turned),),
    ),
    Case(
        "embedding at taps",
        "embedding",
        lambda: Embedding("squared", "neck", "pool"),
        references.embedding("squared", ("neck", "pool")),
        world=tapped_world(4, 4),
        alike=(together(moved), together(turned)),
    ),
    Case(
        "embedding at taps of other widths",
        "embedding",
        lambda: Embedding("cosine", "neck", "pool"),
        references.embedding("cosine", ("neck", "pool"), bridged=True),
        world=tapped_world(3, 5),
        teacher_same=(stretched,),
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
        alike=(together(negated),),
    ),
)

CASES = (*DIVERGENCES, *RELATIONS, *CONTROLS, *BY_LABEL, *VALUES)
