"""Soft targets, hard labels and teacher labels in every form."""

from limbeck.objectives import HardLabels, SoftTargets, TeacherLabels

from . import references, references_limits
from .case import Case, both_logits, labelled_weight, logits_and_labels
from .changes import reversed_classes, shifted, stretched, together
from .limits import Limit, Limits
from .worlds import half_labelled_world, mixed_world, sampled_world, top_world

SOME = [3, 0, 1]

CASES = (
    *(
        Case(
            f"soft-targets at {t:g}",
            "soft-targets",
            lambda t=t: SoftTargets(temperature=t),
            references.soft_targets(t),
            divergence=True,
            plain=both_logits,
            same=(shifted,),
            alike=(together(reversed_classes),),
            limits=Limits(
                SoftTargets, Limit(references_limits.hot_divergence()), Limit(references_limits.cold_forward(), -1)
            ),
        )
        for t in (0.5, 1.0, 2.0, 20.0)
    ),
    Case(
        "soft-targets on some classes",
        "soft-targets",
        lambda: SoftTargets(temperature=2.0, classes=SOME),
        references.soft_targets(2.0, SOME),
        divergence=True,
        plain=both_logits,
        same=(shifted,),
        limits=Limits(
            lambda t: SoftTargets(t, SOME),
            Limit(references_limits.hot_some(SOME)),
            Limit(references_limits.cold_forward(SOME), -1),
        ),
    ),
    Case(
        "soft-targets from the top 2",
        "soft-targets",
        lambda: SoftTargets(temperature=2.0),
        references.soft_targets_top(2.0),
        world=top_world(2, 2.0),
        student_same=(shifted,),
    ),
    Case(
        "soft-targets from the top of all",
        "soft-targets",
        lambda: SoftTargets(temperature=2.0),
        references.soft_targets_top(2.0),
        world=top_world(5, 2.0),
        student_same=(shifted,),
    ),
    Case(
        "soft-targets from drawn classes",
        "soft-targets",
        lambda: SoftTargets(temperature=2.0),
        references.soft_targets_sampled(2.0),
        world=sampled_world(7, 2.0),
        student_same=(shifted,),
        negative=True,
    ),
    Case("hard-labels", "hard-labels", HardLabels, references.hard_labels(), plain=logits_and_labels, same=(shifted,)),
    Case(
        "hard-labels, smoothed",
        "hard-labels",
        lambda: HardLabels(label_smoothing=0.2),
        references.hard_labels(0.2),
        same=(shifted,),
        plain=logits_and_labels,
    ),
    Case(
        "hard-labels, some unlabelled",
        "hard-labels",
        lambda: HardLabels(label_smoothing=0.1),
        references.hard_labels(0.1),
        world=half_labelled_world,
        same=(shifted,),
        counts=labelled_weight,
    ),
    Case(
        "hard-labels, mixed views",
        "hard-labels",
        lambda: HardLabels(label_smoothing=0.1),
        references.hard_labels_mixed(0.1),
        world=mixed_world,
        same=(shifted,),
        counts=labelled_weight,
    ),
    Case(
        "teacher-labels",
        "teacher-labels",
        TeacherLabels,
        references.teacher_labels(),
        plain=both_logits,
        same=(shifted,),
        teacher_same=(stretched,),
    ),
    Case(
        "teacher-labels, smoothed",
        "teacher-labels",
        lambda: TeacherLabels(label_smoothing=0.1),
        references.teacher_labels(0.1),
        plain=both_logits,
        same=(shifted,),
        teacher_same=(stretched,),
    ),
    Case(
        "teacher-labels from the top 2",
        "teacher-labels",
        TeacherLabels,
        references.teacher_labels(),
        world=top_world(2, 1.0),
        same=(shifted,),
        teacher_same=(stretched,),
    ),
)
