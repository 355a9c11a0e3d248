"""torchdistill's losses as a second reference, where it means the same. Where it does not, this is why:

| ours | theirs | difference |
|---|---|---|
| `Hint` | `MSELoss` | no half, the mean of all elements: our variant mean-square |
| `RKDDistance`, `RKDAngle` | `RKDLoss` | the mean counts pairs of a row with itself: our variant code |
| `SimilarityPreserving` | `SPKDLoss` | rows are divided by their L1 norm (`normalize(z, 1)`), in the paper by L2 |
| `CorrelationCongruence` | `CCKDLoss` | the norm is not squared; vectors are not brought to length 1 |
| `PKT` | `PKTLoss` | a row is its own neighbour, the mean goes over b^2: our variant code; 1e-7 in the logarithms |
| `FSP` | `FSPLoss` | norms of columns, not squared, are added up |
| `VID` | `VIDLoss` | the mean of all elements: our variant mean |
| `FactorTransfer` | `FTLoss` | the mean of all elements for p = 1: our variant mean; the paraphraser is given |
"""

import pytest
import torch

from limbeck.objectives import PKT, AttentionTransfer, RKDAngle, RKDDistance, SimilarityPreserving
from limbeck.objectives.activation_boundaries import activation_boundaries_rows
from limbeck.objectives.attention_transfer import attention_map, attention_transfer_rows
from limbeck.objectives.correlation import correlation_congruence
from limbeck.objectives.factor_transfer import factor_transfer_rows
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
    loss.matmul_and_normalize = lambda rows: torch.nn.functional.normalize(rows @ rows.T, p=2, dim=1)
    assert torch.allclose(SimilarityPreserving()(ROWS, OTHERS), loss(said(ROWS), said(OTHERS)))


def test_correlations_up_to_the_square():
    student, teacher = (torch.nn.functional.normalize(rows) for rows in (ROWS, OTHERS))
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
