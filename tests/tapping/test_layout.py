"""Where a map's channels stand: what a shape says, what a path says, and what is refused."""

import pytest
import torch
from torch import nn

from limbeck.errors import ModelError
from limbeck.tapping import matching, shapes, tapped
from limbeck.tapping.layout import is_channels_last, turned, turned_shape


@pytest.mark.parametrize(
    ("path", "shape", "last"),
    [
        ("a", (7, 7, 96), True),
        ("a", (96, 7, 7), False),
        ("a", (7, 7, 7), False),
        ("a", (16, 8, 50), False),
        ("a", (96,), False),
        ("a", (49, 96), False),
        ("a@channels-last", (7, 7, 7), True),
        ("a@channels-last", (7, 9, 96), True),
        ("a:out.0@channels-first", (7, 7, 96), False),
        ("a@elsewhere", (7, 7, 96), True),
    ],
)
def test_shape_and_path_say_where_the_channels_are(path, shape, last):
    assert is_channels_last(path, shape) is last
    features = torch.randn(2, *shape)
    read = turned(path, features)
    assert tuple(read.shape[1:]) == turned_shape(path, shape)
    if last:
        assert torch.equal(read[:, 1, 2, 3], features[:, 2, 3, 1])
    else:
        assert read is features


@pytest.mark.parametrize("shape", [(96,), (49, 96), (2, 7, 7, 96)])
def test_a_path_that_promises_a_map_is_held_to_it(shape):
    with pytest.raises(ModelError, match=r"no map of three axes.*tap 'a'"):
        turned_shape("a@channels-last", shape)


class Wide(nn.Module):
    """A spectrogram's network, whose first map has as many channels as rows; and one of Swin's kind without that."""

    def __init__(self, channels=8):
        super().__init__()
        self.conv = nn.Conv2d(1, channels, 1)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.conv(x)).mean(dim=(2, 3))


WIDE = torch.randn(3, 1, 8, 20)


def test_a_map_that_may_be_either_is_refused_with_the_mend():
    net = Wide()
    words = r"\(8, 8, 20\) may be 8 x 8 pixels of 20 channels, or 8 channels of 8 x 20 pixels.*relu@channels-first"
    with pytest.raises(ModelError, match=words), tapped(net, ["relu"]):
        net(WIDE)
    with tapped(net, ["relu@channels-first", "conv:out@channels-last"]) as read:
        net(WIDE)
    assert read["relu@channels-first"].shape == (3, 8, 8, 20)
    assert torch.equal(read["conv:out@channels-last"].relu(), read["relu@channels-first"]), "a tap reads what is there"
    assert {place.kind for place in shapes(net, WIDE)} == {"unclear"}
    assert [place.kind for place in shapes(Wide(5), WIDE)] == ["map", "map"]


class PutTogether(nn.Module):
    """Two maps of 4 channels, put together to 8 and handed on."""

    def __init__(self, reader):
        super().__init__()
        self.parts = nn.ModuleList(nn.Conv2d(1, 4, 3, padding=1) for _ in range(2))
        self.cat = nn.Identity()
        self.reader = reader

    def forward(self, x):
        return self.reader(self.cat(torch.cat([part(x) for part in self.parts], dim=1)))


class Means(nn.Module):
    def forward(self, x):
        return x.mean(dim=(2, 3))


class TurningNorm(nn.LayerNorm):
    """As timm's `LayerNorm2d`: the norm of each pixel's channels, which stand first."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


READERS = {
    "a convolution": lambda: nn.Sequential(nn.Conv2d(8, 20, 1), Means()),
    "one that grows": lambda: nn.Sequential(nn.ConvTranspose2d(8, 20, 1), Means()),
    "a norm that turns": lambda: nn.Sequential(TurningNorm(8), Means(), nn.Linear(8, 20)),
    "a norm of groups": lambda: nn.Sequential(nn.GroupNorm(2, 8), Means(), nn.Linear(8, 20)),
    "nothing, and no part knows of 20": Means,
    "a classifier, and no part knows of 20": lambda: nn.Sequential(Means(), nn.Linear(8, 10)),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_an_oblong_map_put_together_of_others_is_refused(reader):
    net = PutTogether(reader())
    with pytest.raises(ModelError, match=r"tap 'cat'.*cat@channels-first"), tapped(net, ["cat"]):
        net(WIDE)
    assert {place.path: place.kind for place in shapes(net, WIDE)}["cat"] == "unclear"


class Last(nn.Module):
    """Of Swin's kind: a picture of 12 x 12 pixels, in squares of 4, the channels last."""

    def __init__(self, norm):
        super().__init__()
        self.patches, self.norm, self.map = nn.Conv2d(3, 16, 4, 4), norm, nn.Linear(16, 24, bias=False)

    def forward(self, x):
        return self.map(self.norm(self.patches(x).movedim(1, -1))).mean(dim=(1, 2))


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.RMSNorm, lambda width: nn.Identity(), nn.LazyLinear])
def test_squares_with_the_channels_last_are_read_without_a_word(norm):
    """Also where they have as many rows as a picture has channels, which the first convolution reads."""
    net, x = Last(norm(16)), torch.randn(4, 3, 12, 12)
    with tapped(net, ["norm", "map"]) as read:
        net(x)
    assert [tuple(read[path].shape) for path in ("norm", "map")] == [(4, 3, 3, 16), (4, 3, 3, 24)]
    assert {place.path: place.kind for place in shapes(net, x)} == {
        "patches": "map",
        "norm": "channels-last",
        "map": "channels-last",
    }


def test_layouts_go_with_patterns():
    assert matching(Wide(), "re*@channels-first") == ["relu@channels-first"]
    with tapped(Wide(), ["re*@channels-first"]) as read:
        assert not read
    with pytest.raises(ModelError, match="behind the @ stands 'first', expected channels-first or channels-last"):
        matching(Wide(), "relu@first")
    with pytest.raises(ModelError, match="expected PART"):
        matching(Wide(), "@channels-last")
