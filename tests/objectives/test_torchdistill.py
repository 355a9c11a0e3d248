"""torchdistill's losses as a second reference, where it means the same; docs/torchdistill.md says where it does not."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from limbeck.core.batch import Batch
from limbeck.core.signals import Signals
from limbeck.objectives import CRD, PKT, AttentionTransfer, RKDAngle, RKDDistance, SimilarityPreserving
from limbeck.objectives.activation_boundaries import activation_boundaries_rows
from limbeck.objectives.attention_transfer import attention_map, attention_transfer_rows
from limbeck.objectives.correlation import correlation_congruence
from limbeck.objectives.factor_transfer import factor_transfer_rows
from limbeck.objectives.fsp import flow, fsp_rows
from limbeck.objectives.hint import hint_rows
from limbeck.objectives.review import hierarchical_rows
from limbeck.objectives.vid import vid_rows

theirs = pytest.importorskip("torchdistill.losses.mid_level", reason="pip install torchdistill")


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


STUDENT, TEACHER = drawn(6, 3, 4, 4), drawn(6, 5, 4, 4, seed=1)
ROWS, OTHERS = drawn(6, 7), drawn(6, 4, seed=1)
ALIKE = drawn(6, 3, 4, 4, seed=2)


def said(tensor):
    return {"tap": {"output": tensor}}


def test_relations():
    rkd = theirs.RKDLoss("tap", "tap", dist_factor=1, angle_factor=0, reduction="mean")
    assert torch.allclose(RKDDistance(variant="code")(ROWS, OTHERS), rkd(said(ROWS), said(OTHERS)))
    rkd = theirs.RKDLoss("tap", "tap", dist_factor=0, angle_factor=1, reduction="mean")
    assert torch.allclose(RKDAngle(variant="code")(ROWS, OTHERS), rkd(said(ROWS), said(OTHERS)))
    pkt = theirs.PKTLoss("tap", "output", "tap", "output")
    assert PKT(variant="code")(ROWS, OTHERS).item() == pytest.approx(pkt(said(ROWS), said(OTHERS)).item(), rel=1e-5)


def test_similarities_up_to_the_norm():
    """Their own sum, with the norm that the paper has."""
    loss = theirs.SPKDLoss("tap", "tap", reduction="batchmean")
    loss.matmul_and_normalize = lambda rows: F.normalize(rows @ rows.T, p=2, dim=1)
    assert torch.allclose(SimilarityPreserving()(ROWS, OTHERS), loss(said(ROWS), said(OTHERS)))


def test_correlations_up_to_the_square():
    student, teacher = (F.normalize(rows) for rows in (ROWS, OTHERS))
    loss = theirs.CCKDLoss("tap", "tap", {"type": "gaussian", "gamma": 0.4, "max_p": 2}, reduction="batchmean")
    squared = (36 * loss(said(student), said(teacher))) ** 2 / 36
    assert torch.allclose(correlation_congruence(ROWS, OTHERS), squared)


def test_attention_transfer():
    pairs = {"pair": {"student": {"path": "tap", "io": "output"}, "teacher": {"path": "tap", "io": "output"}}}
    maps = attention_map(STUDENT), attention_map(TEACHER)
    for variant, mode in (("paper", "paper"), ("mean-square", "code")):
        loss = theirs.ATLoss(pairs, mode=mode)(said(STUDENT), said(TEACHER))
        assert torch.allclose(attention_transfer_rows(*maps, variant).mean(), loss)
    assert AttentionTransfer("a", "b").variant == "paper"


def test_activation_boundaries():
    loss = theirs.AltActTransferLoss.compute_alt_act_transfer_loss(STUDENT, ALIKE, 0.5)
    assert torch.allclose(activation_boundaries_rows(STUDENT, ALIKE, 0.5).sum(), loss)


def test_variational_information():
    pairs = {"pair": {"student": {"path": "tap", "io": "output"}, "teacher": {"path": "tap", "io": "output"}}}
    variance = torch.rand(3, 1, 1, dtype=torch.float64) + 0.1
    loss = theirs.VIDLoss(pairs)({"tap": {"output": (STUDENT, variance)}}, said(ALIKE))
    assert torch.allclose(vid_rows(STUDENT, ALIKE, variance.flatten(), "mean").mean(), loss)


def test_factors():
    for power, variant in ((1, "mean"), (2, "paper")):
        loss = theirs.FTLoss(p=power)({"translator": {"output": STUDENT}}, {"paraphraser": {"output": ALIKE}})
        assert torch.allclose(factor_transfer_rows(STUDENT, ALIKE, power, variant).mean(), loss)


def test_squares():
    side = {"module_path": "tap", "io": "output"}
    loss = theirs.SimpleLossWrapper(
        torch.nn.MSELoss(), input={**side, "is_from_teacher": False}, target={**side, "is_from_teacher": True}
    )
    expected = loss(said(STUDENT), said(ALIKE), None)
    assert torch.allclose(hint_rows(STUDENT, ALIKE, "mean-square").mean(), expected)


@pytest.mark.parametrize("side", [1, 3, 4, 7])
def test_reviewed_stages(side):
    student, teacher = drawn(6, 3, side, side), drawn(6, 3, side, side, seed=1)
    loss = theirs.HierarchicalContextLoss("tap", "output", "tap", "output")
    expected = loss({"tap": {"output": (student, None)}}, said(teacher))
    assert torch.allclose(hierarchical_rows(student, teacher).mean(), expected)


def test_flows_up_to_the_norm():
    """The matrices are the same; of one column their norm is the root of ours."""
    first, wide, narrow = drawn(6, 3, 8, 8, seed=3), STUDENT, STUDENT[:, :1]
    for second in (wide, narrow):
        assert torch.allclose(flow(first, second), theirs.FSPLoss.compute_fsp_matrix(first, second))
    names = [f"{who}_{which}" for who in ("student", "teacher") for which in ("first", "second")]
    loss = theirs.FSPLoss({"pair": {name: {"path": name, "io": "output"} for name in names}})
    other = ALIKE[:, :1]
    student, teacher = (
        {name: {"output": each} for name, each in zip(taken, maps, strict=True)}
        for taken, maps in ((names[:2], (first, narrow)), (names[2:], (first, other)))
    )
    rows = fsp_rows(flow(first, narrow), flow(first, other))
    assert torch.allclose(rows.sqrt().mean(), loss(student, teacher))


def test_contrasts():
    """One batch as their memory, their normalising constants at 1: the rest is the paper's critic on both sides."""
    rows, width, examples = 6, 4, 50
    ours = CRD("tap", "tap", width=width, temperature=0.5, examples=examples).double()
    ours.build({"tap": (7,)}, {"tap": (4,)})
    batch = Batch(torch.arange(rows), torch.zeros(rows, dtype=torch.int64), torch.zeros(rows, 1))
    value = ours.double()(Signals(features={"tap": ROWS}), Signals(features={"tap": OTHERS}), batch)["crd"]

    loss = theirs.CRDLoss("mine", "supplement", "other", width, rows, rows - 1, examples, temperature=0.5).double()
    s, t = (F.normalize(part(side)) for part, side in zip(ours.embed, (ROWS, OTHERS), strict=True))
    loss.memory_v1, loss.memory_v2 = s.detach().clone(), t.detach().clone()
    loss.params[2:4] = 1.0
    order = torch.stack([torch.arange(rows).roll(-row) for row in range(rows)])  # each row's own, then all others
    supplement = {"input": {"pos_idx": torch.arange(rows), "contrast_idx": order}}
    expected = loss({"mine": {"output": s}, "supplement": supplement}, {"other": {"output": t}})
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
