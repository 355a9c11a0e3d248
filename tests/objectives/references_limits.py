"""Limits of temperatures, worked out by hand from the formulas: NumPy, one row at a time, nothing shared.

Hot, softmax(z / T) tends to 1/N + (z - mean(z)) / (N T), and every divergence to half its second derivative: a squared
distance of centred logits. Cold, it tends to the largest entry, and -T log softmax(z / T) to what is missing to it.
"""

from math import log

import numpy as np

from .references import arrays
from .references_features import both, each_row, mapped, mean_over_weight, real_tokens
from .references_outputs import pearson, permuted, row_by_row


def centred(values):
    return [z - sum(values) / len(values) for z in values]


def squared(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def top(values):
    return list(values).index(max(values))


def missing(values, place):
    """How far an entry lies below the largest."""
    return max(values) - values[place]


def hot_divergence(share=1.0):
    """Hinton et al. 2015, equation 4: `share` times half the squared distance of centred logits, over N."""
    return row_by_row(lambda s, t: share * squared(centred(s), centred(t)) / (2 * len(s)))


def hot_some(classes):
    def of_row(s, t):
        one, other = ([side[c] for c in classes] for side in (s, t))
        return squared(centred(one), centred(other)) / (2 * len(classes))

    return row_by_row(of_row)


def cold_forward(classes=None):
    """What the student's largest logit exceeds that at the teacher's top class by."""

    def of_row(s, t):
        s, t = ([side[c] for c in classes or range(len(side))] for side in (s, t))
        return missing(s, top(t))

    return row_by_row(of_row)


def cold_reverse():
    return row_by_row(lambda s, t: missing(t, top(s)))


def cold_disagreement(nats):
    """So many nats where the top classes differ."""
    return row_by_row(lambda s, t: nats * (top(s) != top(t)))


def jensen_shannon_apart(beta):
    """Two certain distributions that share nothing, each against its part of the mixture."""
    return -beta * log(beta) - (1 - beta) * log(1 - beta)


def of_labelled(of_row):
    def of(world):
        student, teacher, weight = arrays(world)
        labels = world.batch.target.tolist()
        rows = [of_row(list(s), list(t), y) for s, t, y in zip(student, teacher, labels, strict=True)]
        return mean_over_weight(rows, weight)

    return of


def without(values, place):
    return [z for c, z in enumerate(values) if c != place]


def hot_dkd(alpha, beta):
    """The label's share is 1/N, so that its binary divergence is Delta^2 / (2 N^2 p (1 - p)) with p = 1/N."""

    def of_row(s, t, y):
        n = len(s)
        target = (centred(s)[y] - centred(t)[y]) ** 2 / (2 * (n - 1))
        others = squared(centred(without(s, y)), centred(without(t, y))) / (2 * (n - 1))
        return alpha * target + beta * others

    return of_labelled(of_row)


def cold_dkd(alpha, beta):
    """The label against the strongest other class; then the others among themselves."""

    def of_row(s, t, y):
        ahead, ahead_of = (z[y] - max(without(z, y)) for z in (s, t))
        target = max(-ahead, 0) if ahead_of > 0 else max(ahead, 0)
        return alpha * target + beta * missing(without(s, y), top(without(t, y)))

    return of_labelled(of_row)


def hot_dist(beta, gamma):
    """Correlations of the logits themselves: over rows, and over columns of what is centred."""

    def of(world):
        student, teacher, weight = arrays(world)
        even = [1.0] * student.shape[1]
        inter = [1 - pearson(s, t, even) for s, t in zip(student, teacher, strict=True)]
        s, t = (np.array([centred(list(row)) for row in side]) for side in (student, teacher))
        intra = [1 - pearson(a, b, list(weight)) for a, b in zip(s.T, t.T, strict=True)]
        return beta * mean_over_weight(inter, weight) + gamma * sum(intra) / len(intra)

    return of


def nothing(world):
    return 0.0


def hot_dkpp(seed):
    """Of the permuted logits: a permutation of probabilities is one of logits."""

    def of(world):
        student, teacher, weight = arrays(world)
        ids, views = world.batch.ids.tolist(), world.batch.views.tolist()
        rows = []
        for example, view, s, t in zip(ids, views, student, teacher, strict=True):
            moved = permuted(list(t), example, view, seed)
            rows.append(squared(centred(list(s)), centred(moved)) / (2 * len(moved)))
        return mean_over_weight(rows, weight)

    return of


def hot_binary():
    """A sigmoid's slope at 0 is 1/4, and p (1 - p) too."""
    return row_by_row(lambda s, t: squared(s, t) / 8)


def cold_binary():
    return row_by_row(lambda s, t: sum(max(0.0, -a if b > 0 else a) for a, b in zip(s, t, strict=True)))


def of_channels(of_channel):
    """The mean over channels of a formula of both sides' positions."""

    def row(s, t, state, context):
        if t.ndim == 3:
            s, t = s.reshape(len(s), -1), t.reshape(len(t), -1)
        else:
            s, t = real_tokens(s, context).T, real_tokens(t, context).T
        return sum(of_channel(list(a), list(b)) for a, b in zip(s, t, strict=True)) / len(t)

    return each_row(row)


def hot_channel(s, t):
    return squared(centred(s), centred(t)) / (2 * len(s))


def cold_channel(s, t):
    return missing(s, top(t))


def ofa(of_row):
    def of(world, state):
        rows = []
        for features, logits, y in zip(
            world.student.features["tap"].double().numpy(),
            world.teacher.logits.double().numpy(),
            world.batch.target.tolist(),
            strict=True,
        ):
            rows.append(of_row(list(mapped(features.mean(axis=(1, 2)), state)), list(logits), y))
        return mean_over_weight(rows, world.weight.double().tolist())

    return of


def hot_ofa(gamma):
    """Both sides even: the label costs (1 + 1/N)^gamma log N, each other class log(N) / N."""
    return ofa(lambda s, t, y: log(len(s)) * ((1 + 1 / len(s)) ** gamma + (len(s) - 1) / len(s)))


def cold_ofa(gamma):
    """A certain teacher: twice sure of the label, or it adds its own class."""

    def of_row(s, t, y):
        k = top(t)
        return 2**gamma * missing(s, y) if k == y else missing(s, y) + missing(s, k)

    return ofa(of_row)


def hot_crd(world, state):
    """All candidates alike: the logarithm of their number, in both directions."""
    return 2 * log(len(world.batch))


def cold_crd(world, state):
    """How far the nearest negative is nearer than the counterpart, in both directions."""
    embedded = []
    for n, side in enumerate(both(world)):
        rows = [row.double().numpy() for row in side.features["tap"]]
        vectors = [mapped(r.mean(axis=(1, 2)) if r.ndim > 1 else r, state, f"embed.{n}.channels") for r in rows]
        embedded.append([vector / np.linalg.norm(vector) for vector in vectors])
    values = []
    for r in range(len(world.batch)):
        value = 0.0
        for mine, others in (embedded, embedded[::-1]):
            worst = max(mine[r] @ others[j] for j in range(len(others)) if j != r)
            value += max(0.0, worst - mine[r] @ others[r])
        values.append(value)
    return mean_over_weight(values, world.weight.double().tolist())
