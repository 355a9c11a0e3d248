"""Swin, whose maps have their channels last, beside a convolutional network: both ways, of both libraries."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import limbeck as lk
from limbeck.objectives import AttentionTransfer, Hint, SoftTargets
from limbeck.tapping import shapes
from limbeck.verbs.pairing import pairs

SMALL = {"num_classes": 3}


def of_timm():
    """`(model, path of its second stage)`: stages of 8 x 8 and 4 x 4 pixels, 12 and 24 channels."""
    timm = pytest.importorskip("timm")
    net = timm.create_model(
        "swin_tiny_patch4_window7_224", pretrained=False, img_size=32, window_size=2, embed_dim=12, depths=(1, 1),
        num_heads=(2, 2), **SMALL,
    )  # fmt: skip
    return net, "layers.1"


def of_torchvision():
    """Likewise."""
    models = pytest.importorskip("torchvision").models
    net = models.SwinTransformer(
        patch_size=[4, 4], embed_dim=12, depths=[1, 1], num_heads=[2, 2], window_size=[2, 2], **SMALL
    )
    return net, "features.3"


class Convolutional(nn.Module):
    """Stages of 8 x 8 and 4 x 4 pixels."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 4, stride=4), nn.BatchNorm2d(6), nn.ReLU())
        self.stage = nn.Sequential(nn.Conv2d(6, 10, 3, stride=2, padding=1), nn.BatchNorm2d(10), nn.ReLU())
        self.head = nn.Linear(10, 3)

    def forward(self, x):
        return self.head(self.stage(self.stem(x)).mean(dim=(2, 3)))


SWINS = pytest.mark.parametrize("swin", [of_timm, of_torchvision], ids=["timm", "torchvision"])


@pytest.fixture(scope="module")
def pictures():
    draw = np.random.default_rng(0)
    x, y = draw.integers(0, 256, (48, 3, 32, 32), dtype=np.uint8), np.arange(48) % 3
    return (x[:30], y[:30]), (x[30:39], y[30:39]), (x[39:], y[39:])


@pytest.mark.parametrize(
    ("swin", "role", "guide"),
    [
        (of_timm, "teacher", "never"),
        (of_timm, "teacher", "always"),
        (of_timm, "student", "never"),
        (of_torchvision, "teacher", "never"),
        (of_torchvision, "student", "never"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_two_steps_beside_a_convolutional_network(swin, role, guide, pictures, tmp_path, quick):
    torch.manual_seed(0)
    net, place = swin()
    place = f"{place}@channels-last" if guide == "always" else place
    (teacher, heard), (student, own) = ((net, place), (Convolutional(), "stage"))[:: 1 if role == "teacher" else -1]
    train, validation, test = pictures
    run = lk.distil(
        teacher=teacher, student=student, data=train, validation=validation, test=test,
        objective=Hint(own, heard, "mean-square") + AttentionTransfer(own, heard) + SoftTargets(temperature=2.0),
        recipe={
            "train": {"epochs": 2, "batch_size": 30, "evaluations": 2},
            "guide": guide, "tune": {"trials": 0}, "verdict": {"seeds": 1, "arms": []}, "runtime": {"threads": 1},
        },
        out=tmp_path / "run",
    )  # fmt: skip
    (mine,) = (model for model in run.record.models if model.role == "student")
    rows = [row["values"] for row in json.loads((run.folder / mine.history.path).read_text())]
    assert [row["train/hint"] > 0 and row["train/attention-transfer"] > 0 for row in rows] == [True, True]
    assert rows[1]["train/hint"] < rows[0]["train/hint"]


@SWINS
def test_their_layers_are_paired_by_their_pixels(swin):
    net, place = swin()
    x = torch.zeros(3, 3, 32, 32)
    places, others = shapes(net.eval(), x), shapes(Convolutional(), x)
    (stage,) = (each for each in places if each.path == place)
    assert (stage.kind, stage.shape) == ("channels-last", (4, 4, 24))
    for one, other in ((places, others), (others, places)):
        found = pairs(one, other)
        assert [pair.why[:10] for pair in found] == ["both 8 x 8", "both 4 x 4"]


def test_they_read_alike_compiled():
    from limbeck.tapping import tapped

    net, place = of_timm()
    x = torch.randn(2, 3, 32, 32)
    torch.compiler.reset()
    with torch.no_grad(), tapped(net.eval(), [place]) as read:
        torch.compile(net, backend="eager", fullgraph=True, dynamic=False)(x)
        compiled = read[place]
        net(x)
    torch.compiler.reset()
    torch.testing.assert_close(compiled, read[place])
