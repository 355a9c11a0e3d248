"""Objectives on relations again, literally: NumPy, one pair at a time, nothing shared."""

from itertools import permutations, product
from math import exp, factorial, log, sqrt

import numpy as np


def sides(world):
    """Rows of both sides that count, and their weights."""
    weight = world.weight.double().numpy()
    keep = [r for r in range(len(weight)) if weight[r] > 0]
    found = []
    for signals in (world.student, world.teacher):
        given = signals.features.get("tap", signals.logits).double().numpy()
        if world.batch.mask is not None:
            given = real_tokens_first(given, world.batch.mask.numpy())
        found.append(given.reshape(len(weight), -1)[keep])
    return *found, weight[keep]


def real_tokens_first(tokens, mask):
    """A sequence is its real tokens, and nothing after them."""
    out = np.zeros_like(tokens)
    for row, real in enumerate(mask):
        for place, token in enumerate(tokens[row][real]):
            out[row, place] = token
    return out


def huber(x, y):
    return 0.5 * (x - y) ** 2 if abs(x - y) <= 1 else abs(x - y) - 0.5


def average(values, weights):
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def rkd_distance(variant="paper"):
    """Park et al. 2019, equations 5 to 8; the sum over pairs divided by their weights."""

    def of(world):
        student, teacher, weight = sides(world)
        pairs = list(permutations(range(len(weight)), 2))

        def relative(rows):
            distance = {(i, j): sqrt(sum((rows[i] - rows[j]) ** 2)) for i, j in pairs}
            mu = sum(distance.values()) / len(pairs)
            return {pair: d / mu for pair, d in distance.items()}

        s, t = relative(student), relative(teacher)
        total = sum(weight[i] * weight[j] * huber(s[i, j], t[i, j]) for i, j in pairs)
        over = pairs if variant == "paper" else list(product(range(len(weight)), repeat=2))
        return total / sum(weight[i] * weight[j] for i, j in over)

    return of


def rkd_angle(variant="paper"):
    """Equations 9 and 10: the cosine at j between i and k."""

    def of(world):
        student, teacher, weight = sides(world)

        def cosine(rows, i, j, k):
            one, two = rows[i] - rows[j], rows[k] - rows[j]
            return one @ two / sqrt(one @ one) / sqrt(two @ two)

        triplets = list(permutations(range(len(weight)), 3))
        total = sum(
            weight[i] * weight[j] * weight[k] * huber(cosine(student, i, j, k), cosine(teacher, i, j, k))
            for i, j, k in triplets
        )
        over = triplets if variant == "paper" else list(product(range(len(weight)), repeat=3))
        return total / sum(weight[i] * weight[j] * weight[k] for i, j, k in over)

    return of


def over_pairs(of_rows):
    """`1 / b^2` times the squared Frobenius norm of the difference of two matrices, pairs weighted."""

    def of(world):
        student, teacher, weight = sides(world)
        s, t = of_rows(student), of_rows(teacher)
        pairs = list(product(range(len(weight)), repeat=2))
        return average([(s[i][j] - t[i][j]) ** 2 for i, j in pairs], [weight[i] * weight[j] for i, j in pairs])

    return of


def gram(rows):
    """Tung and Mori 2019, equations 1 and 2."""
    g = [[sum(x * y for x, y in zip(one, two, strict=True)) for two in rows] for one in rows]
    return [[value / sqrt(sum(v**2 for v in line)) for value in line] for line in g]


def bilinear(rows):
    """Peng et al. 2019, equation 9."""
    return [[one @ two for two in rows] for one in rows]


def gaussian(gamma, order):
    """Equation 10."""

    def of(rows):
        rows = [row / np.linalg.norm(row) for row in rows]

        def kernel(x, y):
            return sum(exp(-2 * gamma) * (2 * gamma) ** p / factorial(p) * (x @ y) ** p for p in range(order + 1))

        return [[kernel(x, y) for y in rows] for x in rows]

    return of


def pkt(variant="paper"):
    """Passalis and Tefas 2018, equations 3 to 8."""

    def of(world):
        student, teacher, weight = sides(world)
        n = len(weight)

        def conditional(rows, i, j):
            def affinity(a, b):
                return 0.5 * (a @ b / np.linalg.norm(a) / np.linalg.norm(b) + 1)

            among = [k for k in range(n) if k != i or variant == "code"]
            return affinity(rows[i], rows[j]) / sum(affinity(rows[i], rows[k]) for k in among)

        divergences = []
        for i in range(n):
            among = [j for j in range(n) if j != i or variant == "code"]
            terms = [(conditional(teacher, i, j), conditional(student, i, j)) for j in among]
            divergences.append(sum(p * log(p / q) for p, q in terms) / (n if variant == "code" else 1))
        return average(divergences, weight)

    return of
