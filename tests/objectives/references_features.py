"""Objectives on activations again, literally: NumPy, one number at a time, nothing shared."""

from math import exp, log, log1p, sqrt

import numpy as np

GOLDEN, MIX_1, MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mean_over_weight(rows, weight):
    return sum(w * row for w, row in zip(weight, rows, strict=True)) / sum(weight)


def each_row(row_value, taps=1):
    """The weighted mean over rows of `row_value(student, teacher, state, row's context)`."""

    def of(world, state=None):
        names = ["tap", *(f"tap-{n}" for n in range(2, taps + 1))]
        sides = [[side.features[n].double().numpy() for n in names if n in side.features] for side in both(world)]
        mask = world.batch.mask
        values = []
        for r in range(len(world.batch)):
            student, teacher = ([at[r] for at in side] for side in sides)
            real = None if mask is None else np.flatnonzero(mask[r].numpy())
            row = (student[0], teacher[0]) if taps == 1 else (student, teacher)
            values.append(row_value(*row, state, {"real": real, "world": world, "row": r}))
        return mean_over_weight(values, world.weight.double().tolist())

    return of


def both(world):
    return world.student, world.teacher


def mapped(activation, state, name="bridge.channels"):
    """The bridge's 1x1 convolution or linear layer, position by position."""
    weight = state[f"{name}.weight"].reshape(state[f"{name}.weight"].shape[:2])
    bias = state.get(f"{name}.bias", np.zeros(len(weight)))
    if activation.ndim == 3:
        rows, columns = activation.shape[1:]
        out = np.empty((len(weight), rows, columns))
        for i in range(rows):
            for j in range(columns):
                out[:, i, j] = weight @ activation[:, i, j] + bias
        return out
    return activation @ weight.T + bias


def halved(grid):
    """Each two by two pixels averaged."""
    c, rows, columns = grid.shape
    out = np.empty((c, rows // 2, columns // 2))
    for i in range(rows // 2):
        for j in range(columns // 2):
            out[:, i, j] = grid[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean(axis=(1, 2))
    return out


def as_pixels(tokens, prefix, rows, columns):
    return np.stack([tokens[prefix + i] for i in range(rows * columns)], axis=1).reshape(-1, rows, columns)


def unit(vector):
    return vector / np.linalg.norm(vector)


def real_tokens(activation, context):
    return activation if context["real"] is None else activation[context["real"]]


def hint(variant="paper", bridged=lambda s, state: s):
    """Romero et al. 2015, equation 3."""

    def row(s, t, state, context):
        apart = real_tokens(bridged(s, state) - t, context).ravel()
        return 0.5 * sum(x * x for x in apart) if variant == "paper" else sum(x * x for x in apart) / len(apart)

    return each_row(row)


def maps(activation, power, context):
    """Sum over channels, at each position."""
    if activation.ndim == 3:
        return (abs(activation) ** power).sum(axis=0)
    return np.array([sum(abs(x) ** power for x in token) for token in real_tokens(activation, context)])


def attention_transfer(variant="paper", power=2.0, student=lambda q: q, teacher=lambda q: q):
    """Zagoruyko and Komodakis 2017, equation 2; the changes bring maps to one size."""

    def row(s, t, state, context):
        one = unit(student(maps(s, power, context)[None])[0].ravel())
        two = unit(teacher(maps(t, power, context)[None])[0].ravel())
        square = sum((a - b) ** 2 for a, b in zip(one, two, strict=True))
        return sqrt(square) if variant == "paper" else square / len(one)

    return each_row(row)


def softmax(values):
    powers = [exp(v - max(values)) for v in values]
    return [p / sum(powers) for p in powers]


def divergence(p, q):
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True))


def channel_wise(temperature=4.0, bridged=lambda s, state: s):
    """Shu et al. 2021, equations 2 to 4."""

    def row(s, t, state, context):
        s = bridged(s, state)
        if t.ndim == 3:
            s, t = s.reshape(len(s), -1), t.reshape(len(t), -1)
        else:
            s, t = real_tokens(s, context).T, real_tokens(t, context).T
        p = [softmax(channel / temperature) for channel in t]
        q = [softmax(channel / temperature) for channel in s]
        return temperature**2 / len(t) * sum(divergence(a, b) for a, b in zip(p, q, strict=True))

    return each_row(row)


def nst(kernel="poly", student=lambda s: s):
    """Huang and Wang 2017, equation 3, on channels of length 1."""

    def similarity(x, y):
        return x @ y if kernel == "linear" else (x @ y) ** 2

    def row(s, t, state, context):
        s = student(s)
        if t.ndim == 3:
            s, t = s.reshape(len(s), -1), t.reshape(len(t), -1)
        else:
            s, t = real_tokens(s, context).T, real_tokens(t, context).T
        s, t = [unit(c) for c in s], [unit(c) for c in t]
        tt = sum(similarity(x, y) for x in t for y in t) / len(t) ** 2
        ss = sum(similarity(x, y) for x in s for y in s) / len(s) ** 2
        ts = sum(similarity(x, y) for x in t for y in s) / len(t) / len(s)
        return tt + ss - 2 * ts

    return each_row(row)


def vid(variant="paper"):
    """Ahn et al. 2019, equation 5, without the constant."""

    def row(s, t, state, context):
        mu = mapped(s, state)
        variance = [log1p(exp(a)) + 1e-5 for a in state["alpha"]]
        if t.ndim == 2:
            mu, t = real_tokens(mu, context).T, real_tokens(t, context).T
        total, count = 0.0, 0
        for channel in range(len(t)):
            for m, x in zip(mu[channel].ravel(), t[channel].ravel(), strict=True):
                total += log(sqrt(variance[channel])) + (x - m) ** 2 / (2 * variance[channel])
                count += 1
        return total if variant == "paper" else total / count

    return each_row(row)


def conv3x3(grid, weight, bias):
    """Cross-correlation, zeros around."""
    _, rows, columns = grid.shape
    wide = np.pad(grid, ((0, 0), (1, 1), (1, 1)))
    out = np.empty((len(weight), rows, columns))
    for i in range(rows):
        for j in range(columns):
            out[:, i, j] = np.array([(kernel * wide[:, i : i + 3, j : j + 3]).sum() for kernel in weight]) + bias
    return out


def scrambled(value):
    value = (value + GOLDEN) % 2**64
    value = (value ^ (value >> 30)) * MIX_1 % 2**64
    value = (value ^ (value >> 27)) * MIX_2 % 2**64
    return value ^ (value >> 31)


def drawn(example, view, number, seed):
    """splitmix64, started by seed, example and view."""
    key = scrambled(scrambled((example ^ seed) % 2**64) ^ view)
    return (scrambled((key + (number + 1) * GOLDEN) % 2**64) >> 40) / 2**24


def mgd(ratio, seed=0, mask="pixels"):
    """Yang et al. 2022, equation 4; the authors' code for classification hides channels."""

    def row(s, t, state, context):
        batch, r = context["world"].batch, context["row"]
        mine = mapped(s, state)
        example, view, columns = batch.ids[r].item(), batch.views[r].item(), t.shape[2]
        for c, i, j in np.ndindex(t.shape):
            if drawn(example, view, c if mask == "channels" else i * columns + j, seed) < ratio:
                mine[c, i, j] = 0
        inner = np.maximum(conv3x3(mine, state["decoder.0.weight"], state["decoder.0.bias"]), 0)
        made = conv3x3(inner, state["decoder.2.weight"], state["decoder.2.bias"])
        return ((t - made) ** 2).sum()

    return each_row(row)


def pkd(variant="paper", tokens="class", bridged=lambda s, state: s):
    """Sun et al. 2019, equation 7."""

    def row(s, t, state, context):
        s = bridged(s, state)
        if t.ndim == 1:
            pairs = [(s, t)]
        elif tokens == "class":
            pairs = [(s[0], t[0])]
        else:
            pairs = list(zip(real_tokens(s, context), real_tokens(t, context), strict=True))
        values = [sum((unit(a) - unit(b)) ** 2) / (1 if variant == "paper" else len(b)) for a, b in pairs]
        return sum(values) / len(values)

    return each_row(row)


def tinybert_hidden():
    """Jiao et al. 2020, equation 8."""

    def row(s, t, state, context):
        apart = real_tokens(t - s @ state["bridge.channels.weight"].T, context).ravel()
        return sum(x * x for x in apart) / len(apart)

    return each_row(row)


def activation_boundaries(margin=1.0, variant="paper"):
    """Heo et al. 2019, equation 3."""

    def row(s, t, state, context):
        values = []
        for x, y in zip(mapped(s, state).ravel(), t.ravel(), strict=True):
            on = 1 if y > 0 else 0
            values.append((on * max(margin - x, 0) + (1 - on) * max(margin + x, 0)) ** 2)
        return sum(values) / (1 if variant == "paper" else len(values))

    return each_row(row)


def factor_transfer(power=1, variant="paper"):
    """Kim et al. 2018, equations 1 to 3, both terms."""

    def leaky(x):
        return np.where(x > 0, x, 0.1 * x)

    def row(s, t, state, context):
        encoder, decoder = (
            (state[f"paraphraser.{n}.weight"], state[f"paraphraser.{n}.bias"]) for n in ("encoder", "decoder")
        )
        factors = leaky(conv3x3(t, *encoder))
        again = leaky(conv3x3(factors, *decoder))
        apart = unit(factors.ravel()) - unit(mapped(s, state).ravel())
        norm = sum(abs(x) ** power for x in apart) ** (1 / power)
        return norm / (1 if variant == "paper" else len(apart)) + ((again - t) ** 2).mean()

    return each_row(row)


def pooled_to(grid, rows, columns):
    """The largest of each block."""
    c, height, width = grid.shape
    down, right = height // rows, width // columns
    out = np.empty((c, rows, columns))
    for i in range(rows):
        for j in range(columns):
            out[:, i, j] = grid[:, i * down : (i + 1) * down, j * right : (j + 1) * right].max(axis=(1, 2))
    return out


def fsp(bridged=False):
    """Yim et al. 2017, equations 1 and 2."""

    def flow(first, second):
        rows, columns = min(first.shape[1], second.shape[1]), min(first.shape[2], second.shape[2])
        first, second = pooled_to(first, rows, columns), pooled_to(second, rows, columns)
        g = np.zeros((len(first), len(second)))
        for i in range(len(first)):
            for j in range(len(second)):
                for x in range(rows):
                    for y in range(columns):
                        g[i, j] += first[i, x, y] * second[j, x, y] / (rows * columns)
        return g

    def row(s, t, state, context):
        if bridged:
            s = [mapped(grid, state, f"bridges.{n}.channels") for n, grid in enumerate(s)]
        return ((flow(*t) - flow(*s)) ** 2).sum()

    return each_row(row, taps=2)


def attention_relations(heads):
    """Wang et al. 2021, equations 5 to 7, for queries, keys and values."""

    def relations(vectors, head):
        width = vectors.shape[1] // heads
        part = vectors[:, head * width : (head + 1) * width]
        return [softmax([a @ b / sqrt(width) for b in part]) for a in part]

    def row(s, t, state, context):
        value = 0.0
        for pair in zip(s, t, strict=True):
            one, other = (real_tokens(side, context) for side in pair)
            for head in range(heads):
                p, q = relations(other, head), relations(one, head)
                value += sum(divergence(a, b) for a, b in zip(p, q, strict=True)) / (heads * len(one))
        return value

    return each_row(row, taps=3)


def fused_attention_relations(heads):
    """The same where one layer gives queries, keys and values side by side."""
    apart = attention_relations(heads)

    def of(world):
        sides = []
        for side in both(world):
            thirds = side.features["tap"].chunk(3, dim=2)
            sides.append(type(side)(features=dict(zip(("tap", "tap-2", "tap-3"), thirds, strict=True))))
        return apart(type(world)(*sides, world.batch))

    return of


def review():
    """Chen et al. 2021: fusion (equation 7) from deep to shallow, hierarchical context loss as in the code."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def averaged(grid, size):
        rows, columns = grid.shape[1:]
        down, right = rows // size, columns // size
        return np.array(
            [
                [
                    [channel[i * down : (i + 1) * down, j * right : (j + 1) * right].mean() for j in range(size)]
                    for i in range(size)
                ]
                for channel in grid
            ]
        )

    def hierarchical(one, other):
        value, weights = ((one - other) ** 2).mean(), 1.0
        for level, size in enumerate([size for size in (4, 2, 1) if size < one.shape[1]], start=1):
            value += 0.5**level * ((averaged(one, size) - averaged(other, size)) ** 2).mean()
            weights += 0.5**level
        return value / weights

    def row(s, t, state, context):
        def convolved(grid, name):
            return mapped(grid, state, name)

        deep = convolved(s[1], "stages.1.enter")
        value = hierarchical(conv3x3(deep, state["stages.1.leave.weight"], 0), t[1])
        shallow = convolved(s[0], "stages.0.enter")
        beside = deep.repeat(2, axis=1).repeat(2, axis=2)
        gates = sigmoid(convolved(np.concatenate([shallow, beside]), "stages.0.gate"))
        fused = shallow * gates[:1] + beside * gates[1:]
        return value + hierarchical(conv3x3(fused, state["stages.0.leave.weight"], 0), t[0])

    return each_row(row, taps=2)


def z_scores(logits):
    """Sun et al. 2024, algorithm 1."""
    return (logits - logits.mean()) / logits.std()


def ofa(gamma=1.0, temperature=1.0, variant="paper", prepare=lambda logits: logits):
    """Hao et al. 2023, equation 6, and the authors' code."""

    def of(world, state):
        values, weights = [], []
        for r in range(len(world.batch)):
            if world.batch.target_mask is not None and not world.batch.target_mask[r]:
                continue
            pooled = world.student.features["tap"][r].double().numpy().mean(axis=(1, 2))
            q = softmax(prepare(mapped(pooled, state)) / temperature)
            p = softmax(prepare(world.teacher.logits[r].double().numpy()) / temperature)
            y = world.batch.target[r].item()
            if variant == "paper":
                value = -((1 + p[y]) ** gamma) * log(q[y]) - sum(p[c] * log(q[c]) for c in range(len(p)) if c != y)
            else:
                value = -((1 + p[y]) ** gamma - 1) * log(q[y])
                value -= sum(p[c] ** gamma * log(q[c]) for c in range(len(p)) if c != y)
            values.append(value)
            weights.append(world.weight[r].item())
        return mean_over_weight(values, weights)

    return of


def crd(temperature=0.07, examples=None, constant=1.0):
    """Tian et al. 2020, equations 10 and 19, or InfoNCE over the same candidates; both directions."""

    def of(world, state):
        ids, weight = world.batch.ids.tolist(), world.weight.double().tolist()
        embedded = []
        for n, side in enumerate(both(world)):
            rows = [row.double().numpy() for row in side.features["tap"]]
            vectors = [row.reshape(len(row), -1).mean(axis=1) if row.ndim > 1 else row for row in rows]
            embedded.append([unit(mapped(vector, state, f"embed.{n}.channels")) for vector in vectors])
        banks = [[], []]
        if "bank.ids" in state:
            slots = [n for n, there in enumerate(state["bank.filled"]) if there]
            banks = [[(state["bank.ids"][n], state[f"bank.{who}"][n]) for n in slots] for who in ("student", "teacher")]

        def contrast(r, mine, others, bank):
            positive = mine[r] @ others[r] / temperature
            candidates = [(ids[j], others[j]) for j in range(len(ids)) if weight[j] > 0] + bank
            scores = [mine[r] @ vector / temperature for example, vector in candidates if example != ids[r]]
            if examples is None:
                return log(exp(positive) + sum(exp(score) for score in scores)) - positive
            noise = constant * len(scores) / examples

            def h(score):
                return exp(score) / (exp(score) + noise)

            return -log(h(positive)) - sum(log(1 - h(score)) for score in scores)

        s, t = embedded
        values = [contrast(r, s, t, banks[1]) + contrast(r, t, s, banks[0]) for r in range(len(ids))]
        return mean_over_weight(values, weight)

    return of


def gradient_attention(world):
    """Zagoruyko and Komodakis 2017, equation 5, without beta."""
    values, weights = [], []
    for r in range(len(world.batch)):
        if world.batch.target_mask is None or world.batch.target_mask[r]:
            one, other = (side.input_gradient[r].double().numpy().ravel() for side in both(world))
            values.append(0.5 * sum((a - b) ** 2 for a, b in zip(one, other, strict=True)))
            weights.append(world.weight[r].item())
    return mean_over_weight(values, weights)
