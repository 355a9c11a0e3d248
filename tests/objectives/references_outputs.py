"""Formulas of objectives on outputs again, literally as their papers print them, one number at a time."""

from math import exp, log, sqrt

import numpy as np
import torch

from .references import arrays, mean_over_weight, probabilities


def row_by_row(of_row, prepare=lambda logits: logits):
    """The weighted mean of a formula of one student row and one teacher row."""

    def of(world):
        student, teacher, weight = arrays(world)
        rows = [of_row(prepare(list(s)), prepare(list(t))) for s, t in zip(student, teacher, strict=True)]
        return mean_over_weight(rows, weight)

    return of


def z_scores(logits):
    """Sun et al. 2024, algorithm 1."""
    mean = sum(logits) / len(logits)
    deviation = sqrt(sum((z - mean) ** 2 for z in logits) / len(logits))
    return [(z - mean) / deviation for z in logits]


def kl(p, q):
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def forward_kl(temperature, prepare):
    def of_row(s, t):
        return temperature**2 * kl(probabilities(t, temperature), probabilities(s, temperature))

    return row_by_row(of_row, prepare)


def reverse_kl(temperature, prepare=lambda logits: logits):
    """Gu et al. 2024: sum of q log(q / p)."""

    def of_row(s, t):
        return temperature**2 * kl(probabilities(s, temperature), probabilities(t, temperature))

    return row_by_row(of_row, prepare)


def jensen_shannon(beta, temperature):
    """Agarwal et al. 2024, section 2: beta KL(P || M) + (1 - beta) KL(Q || M) with M = beta P + (1 - beta) Q."""

    def of_row(s, t):
        p, q = probabilities(t, temperature), probabilities(s, temperature)
        m = [beta * a + (1 - beta) * b for a, b in zip(p, q, strict=True)]
        return temperature**2 * (beta * kl(p, m) + (1 - beta) * kl(q, m))

    return row_by_row(of_row)


def skew_kl(alpha, reverse, temperature=1.0):
    """Ko et al. 2024: KL(p || alpha p + (1 - alpha) q), and KL(q || (1 - alpha) p + alpha q)."""

    def of_row(s, t):
        p, q = probabilities(t, temperature), probabilities(s, temperature)
        first, second = (q, p) if reverse else (p, q)
        return temperature**2 * kl(first, [alpha * a + (1 - alpha) * b for a, b in zip(first, second, strict=True)])

    return row_by_row(of_row)


def logit_mse(*, centre=False, mean=False, prepare=lambda logits: logits):
    """Ba and Caruana 2014, equation 1: half the squared distance."""

    def of_row(s, t):
        if centre:
            s, t = ([z - sum(row) / len(row) for z in row] for row in (s, t))
        squares = sum((a - b) ** 2 for a, b in zip(s, t, strict=True))
        return squares / len(s) if mean else squares / 2

    return row_by_row(of_row, prepare)


def dkd(alpha, beta, temperature, prepare=lambda logits: logits):
    """Zhao et al. 2022, equations 4 to 7: b = (p_t, 1 - p_t), p-hat over the other classes only."""

    def of(world):
        student, teacher, weight = arrays(world)
        mask, rows, counted = world.batch.target_mask, [], []
        for r, (s, t) in enumerate(zip(student, teacher, strict=True)):
            if mask is not None and not mask[r]:
                continue
            label = int(world.batch.target[r])
            q, p = (probabilities(prepare(list(side)), temperature) for side in (s, t))
            target = kl([p[label], 1 - p[label]], [q[label], 1 - q[label]])
            p_hat, q_hat = ([x[c] / (1 - x[label]) for c in range(len(x)) if c != label] for x in (p, q))
            rows.append(temperature**2 * (alpha * target + beta * kl(p_hat, q_hat)))
            counted.append(weight[r])
        return mean_over_weight(rows, counted)

    return of


def cwtm():
    """Furlanello et al. 2018, equation 9: w_s / sum_u w_u, where w is the teacher's largest probability."""

    def of(world):
        student, teacher, weight = arrays(world)
        mask = world.batch.target_mask
        known = [r for r in range(len(student)) if mask is None or mask[r]]
        rows = [-log(probabilities(list(student[r]))[int(world.batch.target[r])]) for r in known]
        return mean_over_weight(rows, [weight[r] * max(probabilities(list(teacher[r]))) for r in known])

    return of


def splitmix(value):
    """Vigna's splitmix64, one step: the constants of its publication, integers without a sign."""
    value = (value + 0x9E3779B97F4A7C15) % 2**64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) % 2**64
    return value ^ (value >> 31)


def permuted(values, example, view, seed):
    """The largest stays; the others stand in the order of their draws."""
    others = [c for c in range(len(values)) if c != values.index(max(values))]
    key = splitmix(splitmix(example ^ seed) ^ view)
    drawn = [splitmix((key + (n + 1) * 0x9E3779B97F4A7C15) % 2**64) >> 40 for n in range(len(others))]
    moved = list(values)
    for place, source in zip(others, sorted(range(len(others)), key=drawn.__getitem__), strict=True):
        moved[place] = values[others[source]]
    return moved


def dkpp(temperature, seed, prepare=lambda logits: logits):
    """Furlanello et al. 2018, equation 10: the largest stays, the others are permuted; less the teacher's entropy."""

    def of(world):
        student, teacher, weight = arrays(world)
        ids, views, rows = world.batch.ids.tolist(), world.batch.views.tolist(), []
        for example, view, s, t in zip(ids, views, student, teacher, strict=True):
            p, q = (probabilities(list(prepare(side)), temperature) for side in (t, s))
            rows.append(temperature**2 * kl(permuted(p, example, view, seed), q))
        return mean_over_weight(rows, weight)

    return of


def pearson(a, b, weight):
    total = sum(weight)
    mean_a, mean_b = (sum(w * x for w, x in zip(weight, v, strict=True)) / total for v in (a, b))
    covariance = sum(w * (x - mean_a) * (y - mean_b) for w, x, y in zip(weight, a, b, strict=True))
    variances = [sum(w * (x - m) ** 2 for w, x in zip(weight, v, strict=True)) for v, m in ((a, mean_a), (b, mean_b))]
    return covariance / sqrt(variances[0] * variances[1])


def dist(beta, gamma, temperature):
    """Huang et al. 2022, section 3: one minus Pearson's correlation, over rows and over columns."""

    def of(world):
        student, teacher, weight = arrays(world)
        q, p = (np.array([probabilities(row, temperature) for row in side]) for side in (student, teacher))
        even = [1.0] * q.shape[1]
        inter = mean_over_weight([1 - pearson(a, b, even) for a, b in zip(q, p, strict=True)], weight)
        intra = [1 - pearson(a, b, list(weight)) for a, b in zip(q.T, p.T, strict=True)]
        return temperature**2 * (beta * inter + gamma * sum(intra) / len(intra))

    return of


def sigmoid(z):
    return 1 / (1 + exp(-z))


def binary_targets(temperature, *, mean=False):
    def of_row(s, t):
        parts = []
        for a, b in zip(s, t, strict=True):
            q, p = sigmoid(a / temperature), sigmoid(b / temperature)
            parts.append(kl([p, 1 - p], [q, 1 - q]))
        return temperature**2 * sum(parts) / (len(parts) if mean else 1)

    return row_by_row(of_row)


def against_labels(of_row):
    """The weighted mean over labelled rows of a formula of one student row and its true values."""

    def of(world):
        student, _, weight = arrays(world)
        mask, target = world.batch.target_mask, world.batch.target.double().numpy()
        known = range(len(target)) if mask is None else np.flatnonzero(mask.numpy()).tolist()
        rows = [of_row(list(student[r]), list(np.atleast_1d(target[r]))) for r in known]
        return mean_over_weight(rows, weight[list(known)])

    return of


def binary_labels(smoothing=0.0, *, mean=False):
    def of_row(s, y):
        total = 0.0
        for z, label in zip(s, y, strict=True):
            share = (1 - smoothing) * label + smoothing / 2
            total -= share * log(sigmoid(z)) + (1 - share) * log(1 - sigmoid(z))
        return total / (len(s) if mean else 1)

    return against_labels(of_row)


def error(kind, delta=1.0):
    def of_row(s, y):
        total = 0.0
        for a, b in zip(s, y, strict=True):
            d = abs(a - b)
            huber = d**2 / 2 if d <= delta else delta * (d - delta / 2)
            total += huber if kind == "huber" else d**2
        return total / len(s)

    return of_row


def bounded_regression(margin):
    """Chen et al. 2017, equation 4."""

    def of(world):
        student, teacher, weight = arrays(world)
        mask, target = world.batch.target_mask, world.batch.target.double().numpy()
        rows, counted = [], []
        for r in range(len(target)):
            if mask is not None and not mask[r]:
                continue
            own, bound = (sum((a - y) ** 2 for a, y in zip(x[r], target[r], strict=True)) for x in (student, teacher))
            rows.append(own if own + margin > bound else 0.0)
            counted.append(weight[r])
        return mean_over_weight(rows, counted)

    return of


def embedding(distance, taps=None, *, bridged=False):
    def of(world, state=None):
        weight = world.weight.double().numpy()
        sides = [
            side.logits if taps is None else side.features[tap]
            for side, tap in zip((world.student, world.teacher), taps or (None, None), strict=True)
        ]
        if bridged:
            sides[0] = sides[0] @ torch.tensor(state["bridge.channels.weight"]).T
            sides[0] = sides[0] + torch.tensor(state["bridge.channels.bias"])
        rows = []
        for s, t in zip(sides[0].double().tolist(), sides[1].double().tolist(), strict=True):
            if distance == "squared":
                rows.append(sum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / len(s))
            else:
                dot = sum(a * b for a, b in zip(s, t, strict=True))
                rows.append(1 - dot / sqrt(sum(a * a for a in s) * sum(b * b for b in t)))
        return mean_over_weight(rows, weight)

    return of


def margin_mse(s, t):
    """Hofstaetter et al. 2020, equation 7, over every negative of the query."""
    margins = [((s[0] - s[j]) - (t[0] - t[j])) ** 2 for j in range(1, len(s))]
    return sum(margins) / len(margins)
