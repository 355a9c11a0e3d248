"""Other toolkits' losses on activations: torchdistill's as installed, mdistiller's and ModelOpt's written out.

Where a bridge stands before the loss, theirs is handed what comes out of ours: the loss is what is converted.
"""

import inspect
import re
from functools import cache
from math import exp
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives import DIST, Hint, convert
from limbeck.objectives.convert import CONVERTERS
from limbeck.objectives.crd import contrast_rows
from limbeck.objectives.draws import uniform

ROWS, CLASSES = 6, 5
DOCS = Path(__file__).parents[2] / "docs"


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


MAPS = {"a": drawn(ROWS, 3, 6, 6), "b": drawn(ROWS, 3, 4, 4, seed=1)}
OTHERS = {"a": drawn(ROWS, 4, 6, 6, seed=2), "b": drawn(ROWS, 4, 4, 4, seed=3)}
VECTORS, OTHER_VECTORS = {"a": drawn(ROWS, 7, seed=4)}, {"a": drawn(ROWS, 9, seed=5)}
LOGITS, OTHER_LOGITS = drawn(ROWS, CLASSES, seed=6), drawn(ROWS, CLASSES, seed=7)
BATCH = Batch(
    torch.arange(ROWS), torch.zeros(ROWS, dtype=torch.int64), torch.zeros(ROWS, 1),
    target=torch.tensor([0, 1, 2, 3, 4, 0]),
)  # fmt: skip
CE = F.cross_entropy(LOGITS, BATCH.target)


def made(objective, student, teacher):
    """Built for these activations, in their precision."""
    shapes = ({tap: tuple(at.shape[1:]) for tap, at in side.items()} for side in (student, teacher))
    torch.manual_seed(0)
    objective.build(*shapes)
    return objective.double().eval()


def check(objective, theirs, student=MAPS, teacher=OTHERS, *, close=1e-9, without=()):
    """Value and slope by every activation of the student's; `theirs` takes both sides' and the objective."""
    built, found = made(objective, student, teacher), []
    for of in ("ours", "theirs"):
        leaves = {tap: at.clone().requires_grad_() for tap, at in student.items()}
        if of == "ours":
            said = built(Signals(LOGITS, features=leaves), Signals(OTHER_LOGITS, features=teacher), BATCH, 0.5)
            value = torch.stack([term for name, term in said.items() if name not in without]).sum()
        else:
            value = theirs(leaves, teacher, built)
        slopes = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
        found.append([value.detach(), *(slope for slope in slopes if slope is not None)])
    for mine, other in zip(*found, strict=True):
        assert torch.allclose(mine, other.to(mine.dtype), rtol=close, atol=close)


@cache
def installed():
    return pytest.importorskip("torchdistill.losses.mid_level", reason="pip install torchdistill")


def said(tensor):
    return {"tap": {"output": tensor}}


def pairs_of(*taps):
    return {
        tap: {"student": {"path": tap, "io": "output"}, "teacher": {"path": tap, "io": "output"}, "weight": weight}
        for tap, weight in taps
    }


def outputs(side):
    return {tap: {"output": tensor} for tap, tensor in side.items()}


WEIGHTS = (("a", 2.0), ("b", 0.5))
PAIRS = [(tap, tap, weight) for tap, weight in WEIGHTS]
ALIKE = [("a", "a"), ("b", "b")]


def bridged(objective, side):
    return {part.student: part.bridge(side[part.student]) for part in objective.parts if hasattr(part, "bridge")}


# torchdistill


@pytest.mark.parametrize("mode", ["code", "paper"])
def test_torchdistill_attention(mode):
    loss = installed().ATLoss(pairs_of(*WEIGHTS), mode=mode)
    check(convert.from_torchdistill_at(PAIRS, mode=mode), lambda s, t, _: loss(outputs(s), outputs(t)))


def test_torchdistill_relations():
    loss = installed().RKDLoss("a", "a", dist_factor=2.0, angle_factor=3.0, reduction="mean")
    given = convert.from_torchdistill_rkd("a", "a", dist_factor=2.0, angle_factor=3.0)
    check(given, lambda s, t, _: loss(outputs(s), outputs(t)), VECTORS, OTHER_VECTORS)


def test_torchdistill_neighbours():
    loss = installed().PKTLoss("a", "output", "a", "output")
    given = convert.from_torchdistill_pkt("a", "a")
    check(given, lambda s, t, _: loss(outputs(s), outputs(t)), VECTORS, OTHER_VECTORS, close=1e-5)


def test_torchdistill_variational_information():
    loss = installed().VIDLoss(pairs_of(*WEIGHTS))

    def theirs(s, t, ours):
        means = bridged(ours, s)
        return loss({tap: {"output": (means[tap], torch.tensor(3.0))} for tap in s}, outputs(t))

    check(convert.from_torchdistill_vid(PAIRS, init_pred_var=3.0), theirs, close=1e-6)


@pytest.mark.parametrize("p", [1, 2])
def test_torchdistill_factors(p):
    loss = installed().FTLoss(p=p)

    def theirs(s, t, ours):
        (part,) = ours.parts
        factors, _ = part.paraphraser(t["a"])
        return loss({"translator": {"output": part.bridge(s["a"])}}, {"paraphraser": {"output": factors.detach()}})

    check(convert.from_torchdistill_ft("a", "a", p=p), theirs, without=("factor-transfer-paraphraser",))


def test_torchdistill_activation_boundaries():
    loss = installed().AltActTransferLoss(pairs_of(*WEIGHTS), margin=0.5, reduction="mean")
    given = convert.from_torchdistill_ab(PAIRS, margin=0.5)
    check(given, lambda s, t, ours: loss(outputs(bridged(ours, s)), outputs(t)))


def test_torchdistill_stronger_teachers():
    """Their first eps, beside a norm, is what is left between the two."""
    (objective,) = convert.from_torchdistill_dist(beta=2.0, gamma=0.5, tau=3.0).parts
    assert isinstance(objective, DIST)
    loss = installed().DISTLoss("a", "output", "a", "output", beta=2.0, gamma=0.5, tau=3.0)
    found = []
    for of in (objective, lambda s, t: loss({"a": {"output": s}}, {"a": {"output": t}})):
        student = LOGITS.clone().requires_grad_()
        value = of(student, OTHER_LOGITS)
        found.append((value.detach(), *torch.autograd.grad(value, student)))
    for mine, other in zip(*found, strict=True):
        assert torch.allclose(mine, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("alpha", "beta"), [(None, 9.0), (0, None), (0.3, None), (0.5, 9.0)])
def test_torchdistill_answers(alpha, beta, standardize):
    """As installed; `test_convert` has the formula written out."""
    kind = installed().LogitStdKDLoss if standardize else installed().KDLoss
    loss = kind("a", "output", "a", "output", temperature=4.0, alpha=alpha, beta=beta)
    given = convert.from_torchdistill(temperature=4.0, alpha=alpha, beta=beta, standardize=standardize, classes=CLASSES)
    mine = torch.stack(list(given(Signals(LOGITS), Signals(OTHER_LOGITS), BATCH).values())).sum()
    other = loss({"a": {"output": LOGITS}}, {"a": {"output": OTHER_LOGITS}}, targets=BATCH.target)
    assert torch.allclose(mine, other, rtol=1e-6)


def test_torchdistill_without_alpha_and_beta_is_a_type_error():
    with pytest.raises(TypeError):
        installed().KDLoss("a", "output", "a", "output", temperature=4.0)


def test_torchdistill_review():
    losses = {tap: installed().HierarchicalContextLoss(tap, "output", tap, "output") for tap in MAPS}

    def theirs(s, t, ours):
        (part,) = ours.parts
        made, deeper = {}, None
        for tap, stage in zip(("b", "a"), reversed(part.stages), strict=True):
            made[tap], deeper = stage(s[tap], deeper, tuple(t[tap].shape[2:]))
        return 0.5 * sum(losses[tap]({tap: {"output": (made[tap], None)}}, {tap: {"output": t[tap]}}) for tap in s)

    given = convert.from_torchdistill_review(("a", "b"), ("a", "b"), factor=0.5, mid_channel=4)
    check(given, theirs)


def test_torchdistill_contrast_has_the_critic():
    """For the same candidates and the same Z."""
    loss = installed().CRDLoss("s", "e", "t", 8, 100, 10, 50)
    scores = drawn(ROWS, 11)
    constant = 70.0
    theirs = loss.compute_contrast_loss((scores.exp() / constant)[:, :, None])
    negatives = torch.ones(ROWS, 10, dtype=torch.bool)
    ours = contrast_rows(scores[:, 1:], scores[:, 0], negatives, 50, constant).mean()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_torchdistill_contrast_has_nearly_the_constant():
    """What they measure on the first batch is about what is expected of it."""
    width, examples = 128, 2000
    torch.manual_seed(0)
    loss = installed().CRDLoss("s", "e", "t", width, examples, 500, examples)
    student, teacher = (F.normalize(torch.randn(32, width)) for _ in range(2))
    loss.contrast_memory(student, teacher, torch.arange(32), torch.randint(examples, (32, 501)))
    given = convert.from_torchdistill_crd("a", "a", input_size=width, num_negative_samples=500, num_samples=examples)
    (part,) = given.parts
    assert loss.params[2:4].tolist() == pytest.approx([part.constant] * 2, rel=0.05)
    assert part.constant == pytest.approx(examples * exp(1 / (2 * width * 0.07**2)))


# mdistiller, as its files have it


def flat(side):
    return side["a"].flatten(1)


def test_mdistiller_fitnet():
    def theirs(s, t, ours):
        return 0.5 * CE + 100.0 * F.mse_loss(bridged(ours, s)["a"], t["a"])

    check(convert.from_mdistiller_fitnet("a", "a", ce_weight=0.5), theirs)


@pytest.mark.parametrize("p", [2, 4])
def test_mdistiller_attention(p):
    def at(features):
        return F.normalize(features.pow(p).mean(1).reshape(len(features), -1))

    def theirs(s, t, _):
        return CE + 1000.0 * sum((at(s[tap]) - at(t[tap])).pow(2).mean() for tap in s)

    check(convert.from_mdistiller_at(ALIKE, p=p), theirs)


def test_mdistiller_selectivity():
    def kernel(a, b):
        return (a.unsqueeze(1) * b.unsqueeze(2)).sum(-1).pow(2)

    def stage(s, t):
        s, t = (F.normalize(side.flatten(2), dim=2) for side in (s, t))
        return kernel(t, t).mean().detach() + kernel(s, s).mean() - 2 * kernel(s, t).mean()

    check(convert.from_mdistiller_nst(ALIKE), lambda s, t, _: CE + 50.0 * sum(stage(s[tap], t[tap]) for tap in s))


def test_mdistiller_relations():
    def distances(rows):
        squares = rows.pow(2).sum(1)
        found = (squares[:, None] + squares - 2 * rows @ rows.t()).clamp(min=1e-12).sqrt().clone()
        found[range(len(rows)), range(len(rows))] = 0
        return found / found[found > 0].mean()

    def angles(rows):
        directions = F.normalize(rows.unsqueeze(0) - rows.unsqueeze(1), p=2, dim=2)
        return torch.bmm(directions, directions.transpose(1, 2)).view(-1)

    def theirs(s, t, _):
        apart = F.smooth_l1_loss(distances(flat(s)), distances(flat(t)))
        return CE + 2.0 * (25 * apart + 50 * F.smooth_l1_loss(angles(flat(s)), angles(flat(t))))

    check(convert.from_mdistiller_rkd("a", "a", feat_weight=2.0), theirs, VECTORS, OTHER_VECTORS)


def test_mdistiller_similarities():
    def theirs(s, t, _):
        g_s, g_t = (F.normalize(torch.mm(flat(side), flat(side).t())) for side in (s, t))
        return CE + 3000.0 * (g_t - g_s).pow(2).sum() / ROWS**2

    check(convert.from_mdistiller_sp("a", "a"), theirs)


def test_mdistiller_neighbours():
    def affinities(rows):
        rows = rows / (rows.pow(2).sum(1, keepdim=True).sqrt() + 1e-7)
        found = (rows @ rows.t() + 1) / 2
        return found / found.sum(1, keepdim=True)

    def theirs(s, t, _):
        q, p = affinities(flat(s)), affinities(flat(t))
        return CE + 30000.0 * (p * torch.log((p + 1e-7) / (q + 1e-7))).mean()

    check(convert.from_mdistiller_pkt("a", "a"), theirs, VECTORS, OTHER_VECTORS, close=1e-3)


@pytest.mark.parametrize("learned", [False, True])
def test_mdistiller_variational_information(learned):
    """The loss with variances that stay; without `learned` the constant is left out."""
    constant = torch.tensor(3.0, dtype=torch.float64).log() / 2

    def theirs(s, t, ours):
        means = bridged(ours, s)
        found = sum((0.5 * ((means[tap] - t[tap]) ** 2 / 3.0) + constant).mean() for tap in s)
        return CE + 2.0 * (found - (0 if learned else 2 * constant))

    given = convert.from_mdistiller_vid(ALIKE, feat_weight=2.0, init_pred_var=3.0, learned=learned)
    assert any(isinstance(part, Hint) for part in given.parts) != learned
    check(given, theirs, close=1e-6)


def test_mdistiller_review():
    def hcl(s, t):
        loss, share, over = F.mse_loss(s, t), 1.0, 1.0
        for size in (4, 2, 1):
            if size < s.shape[2]:
                share /= 2.0
                loss = loss + share * F.mse_loss(F.adaptive_avg_pool2d(s, size), F.adaptive_avg_pool2d(t, size))
                over += share
        return loss / over

    def theirs(s, t, ours):
        deeper, found = None, 0
        for tap, stage in zip(("b", "a"), reversed(ours.parts[1].stages), strict=True):
            made, deeper = stage(s[tap], deeper, tuple(t[tap].shape[2:]))
            found = found + hcl(made, t[tap])
        return CE + 5.0 * found

    given = convert.from_mdistiller_reviewkd(("a", "b"), ("a", "b"), reviewkd_weight=5.0, mid_channel=4)
    check(given, theirs)
    (_, _), (rise, _) = given.weighted_parts()
    assert [rise.at(epoch / 240) for epoch in (0, 10, 20, 200)] == pytest.approx([0.0, 2.5, 5.0, 5.0])


def test_mdistiller_contrast_is_torchdistills_beside_labels():
    labels, ours = convert.from_mdistiller_crd("a", "b", num_data=500, k=10).parts
    (theirs,) = convert.from_torchdistill_crd("a", "b", input_size=128, num_negative_samples=10, num_samples=500).parts
    assert (str(labels), str(ours)) == ("HardLabels()", str(theirs))


def test_modelopt_masked_generation():
    """With the pixels that ours draws; theirs hides as many on average."""

    def theirs(s, t, ours):
        (part,) = ours.parts
        seen = (uniform(BATCH.ids, BATCH.views, 36, 0) >= 0.65).reshape(-1, 1, 6, 6)
        assert seen.any()
        return 3.0 * F.mse_loss(part.decoder(part.bridge(s["a"]) * seen), t["a"])

    check(convert.from_modelopt_mgd("a", "a", elements=4 * 6 * 6, alpha_mgd=3.0), theirs)


def test_the_page_names_every_converter():
    page = (DOCS / "converters.md").read_text(encoding="utf-8")
    named = set(re.findall(r"from_\w+", page))
    assert named == {converter.__name__ for converter in CONVERTERS.values()}
    assert all(name in convert.__all__ for name in named)
    for loss, converter in CONVERTERS.items():
        toolkit, _, name = loss.partition(" ")
        assert f"{toolkit}, `{name}`" in page, loss
        assert name in (inspect.getdoc(converter) or ""), loss
