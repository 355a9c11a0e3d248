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


def test_layouts_go_with_patterns():
    assert matching(Wide(), "re*@channels-first") == ["relu@channels-first"]
    with tapped(Wide(), ["re*@channels-first"]) as read:
        assert not read
    with pytest.raises(ModelError, match="behind the @ stands 'first', expected channels-first or channels-last"):
        matching(Wide(), "relu@first")
    with pytest.raises(ModelError, match="expected PART"):
        matching(Wide(), "@channels-last")
