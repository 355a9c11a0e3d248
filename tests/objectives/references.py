"""Every formula again, literally as its paper prints it: NumPy, float64, one number at a time, nothing shared."""

from math import exp, log

import numpy as np


def probabilities(logits, temperature=1.0):
    powers = [exp((value - max(logits)) / temperature) for value in logits]
    return [power / sum(powers) for power in powers]


def mean_over_weight(rows, weight):
    return sum(w * row for w, row in zip(weight, rows, strict=True)) / sum(weight)


def arrays(world):
    student, weight = world.student.logits.double().numpy(), world.weight.double().numpy()
    logits = world.teacher.logits
    return student, None if logits is None else logits.double().numpy(), weight


def soft_targets(temperature, classes=None):
    """Hinton, Vinyals, Dean 2015: the KL divergence of the softened distributions, times the squared temperature."""

    def of(world):
        student, teacher, weight = arrays(world)
        rows = []
        for s, t in zip(student, teacher, strict=True):
            some = range(len(s)) if classes is None else classes
            p, q = (probabilities([values[c] for c in some], temperature) for values in (t, s))
            rows.append(temperature**2 * sum(p[i] * log(p[i] / q[i]) for i in range(len(p)) if p[i] > 0))
        return mean_over_weight(rows, weight)

    return of


def soft_targets_top(temperature):
    """The same after every class outside the named ones went into one bucket."""

    def of(world):
        student, _, weight = arrays(world)
        top = world.teacher.top
        rows = []
        for s, index, named, tail in zip(
            student, top.index.tolist(), top.logits.tolist(), top.tail.tolist(), strict=True
        ):
            mass = [exp(value / temperature) for value in named] + [exp(tail[0])]
            p = [m / sum(mass) for m in mass]
            all_of_it = probabilities(s, temperature)
            q = [all_of_it[c] for c in index]
            q.append(sum(all_of_it[c] for c in range(len(s)) if c not in index))
            rows.append(temperature**2 * sum(p[i] * log(p[i] / q[i]) for i in range(len(p)) if p[i] > 0))
        return mean_over_weight(rows, weight)

    return of


def soft_targets_sampled(temperature):
    """Anshumann et al. 2025: the cross-entropy of the drawn classes; less the teacher's entropy it estimates the KL."""

    def of(world):
        student, _, weight = arrays(world)
        drawn = world.teacher.sampled
        rows = []
        for s, index, entropy in zip(student, drawn.index.tolist(), drawn.entropy.tolist(), strict=True):
            q = probabilities(s, temperature)
            rows.append(temperature**2 * (sum(-log(q[c]) for c in index) / len(index) - entropy))
        return mean_over_weight(rows, weight)

    return of


def cross_entropy(logits, label, smoothing):
    """Szegedy et al. 2016: (1 - s) of the target on the label, s spread evenly over all classes."""
    q = probabilities(logits)
    target = [smoothing / len(q)] * len(q)
    target[label] += 1 - smoothing
    return -sum(t * log(p) for t, p in zip(target, q, strict=True) if t > 0)


def hard_labels(smoothing=0.0):
    def of(world):
        student, _, weight = arrays(world)
        target, mask = world.batch.target.tolist(), world.batch.target_mask
        known = range(len(target)) if mask is None else np.flatnonzero(mask.numpy()).tolist()
        rows = [cross_entropy(student[r], target[r], smoothing) for r in known]
        return mean_over_weight(rows, weight[list(known)])

    return of


def hard_labels_mixed(smoothing):
    """Zhang et al. 2018: both labels' cross-entropies in the shares of the mixture."""

    def of(world):
        student, _, weight = arrays(world)
        batch, rows, known = world.batch, [], []
        for r, s in enumerate(student):
            if batch.target_mask[r] and batch.mix.target_mask[r]:
                share = batch.mix.share[r].item()
                own, other = (cross_entropy(s, int(t[r]), smoothing) for t in (batch.target, batch.mix.target))
                rows.append(share * own + (1 - share) * other)
                known.append(r)
        return mean_over_weight(rows, weight[known])

    return of


def teacher_labels(smoothing=0.0):
    """Lee 2013: the cross-entropy against the class that gets the most."""

    def of(world):
        student, teacher, weight = arrays(world)
        if teacher is None:
            tops = world.teacher.top.index[:, 0].tolist()
        else:
            tops = [list(row).index(max(row)) for row in teacher]
        rows = [cross_entropy(s, top, smoothing) for s, top in zip(student, tops, strict=True)]
        return mean_over_weight(rows, weight)

    return of
