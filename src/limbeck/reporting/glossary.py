"""Every word of the report that a reader may not know, said once and plainly."""

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "teacher": ("Teacher", "The large model that is imitated. It is frozen: nothing here trains or changes it."),
    "student": (
        "Student",
        "The small model, trained to give the teacher's answers. The one with seed 0 is what ships.",
    ),
    "baseline": (
        "Baseline",
        "The same student, trained as long and tuned as often, but without a teacher: what distilling has to beat.",
    ),
    "teacher-labels": (
        "Teacher's labels",
        "The same student, taught only which class the teacher names. It tells whether soft targets help or labels do.",
    ),
    "soft-targets": (
        "Soft targets",
        "The teacher's probabilities for all classes rather than one label: that a 7 looks a little like a 1.",
    ),
    "temperature": (
        "Temperature",
        "Divides the logits before the softmax. Above 1 it flattens the probabilities, so that small ones can be seen.",
    ),
    "interval": (
        "95% interval",
        (
            "The range that holds the true value in 95 of 100 such runs. It counts the luck of the "
            "seeds and that of the test examples."
        ),
    ),
    "margin": ("Margin", "Differences within it do not matter. It was stated before the run, not after."),
    "seed": (
        "Seed",
        "The number that the random start and order of training come from. Several show how far luck goes.",
    ),
    "points": ("Points", "Percentage points: from 95% to 97% is 2 points."),
    "p-value": (
        "p",
        (
            "How often a difference this large would turn up if there were none. Holm's correction allows for several "
            "comparisons having been made."
        ),
    ),
    "accuracy": ("Accuracy", "Share of test examples whose most probable class is the right one."),
    "nll": ("Negative log-likelihood", "Surprise at the truth, in nats. Lower is better; sure and wrong costs most."),
    "brier": ("Brier score", "Squared distance between the probabilities and the truth, 0 to 2. Lower is better."),
    "agreement": ("Agreement", "Share of test examples on which a model gives the teacher's label, right or wrong."),
    "ceiling": (
        "Agreement between its own seeds",
        "How often two seeds of the same model give the same label: no imitation can be expected to agree much more.",
    ),
    "teacher-errors": (
        "Teacher's errors repeated",
        "Of the examples the teacher gets wrong, the share got wrong alike.",
    ),
    "kl": (
        "KL from the teacher",
        "Distance between the teacher's probabilities and the model's at temperature 1, in nats; 0 means the same.",
    ),
    "ece": (
        "Calibration error (ECE)",
        "Mean gap between stated confidence and the share that was right, over 15 bins of equally many examples.",
    ),
    "reliability": (
        "Reliability diagram",
        (
            "Points on the diagonal mean that of the answers given with 80% confidence, 80% are right. Below it a "
            "model is too sure of itself, above it not sure enough."
        ),
    ),
    "parameters": ("Parameters", "Numbers that training sets."),
    "macs": ("Multiply-accumulates", "Multiplications with an addition that one example costs: the work of an answer."),
    "size": ("Size as stored", "Bytes of the weights on disk."),
    "memory": ("Peak memory", "Most bytes of activations alive at once, for one example in float32."),
    "latency": ("Latency, median", "Time of one call after warm-up; half of the calls were faster."),
    "training-time": ("Training time", "Of the seed that ships, on the machine named below."),
    "steps": (
        "Optimiser steps",
        "Updates of the weights that were made. A fair baseline may make as many as the student.",
    ),
    "parity": (
        "Parity",
        (
            "How exactly an exported file gives the student's answers: the largest difference of a logit, and the "
            "share of equal labels, on validation examples."
        ),
    ),
    "fingerprint": ("Fingerprint", "SHA-256 of what went in. Two runs with the same ones were fed the same."),
}
"""Name in links -> heading and meaning."""
