"""Teachers of a user's own that have nothing in common: size, channels, normalisation, order of the classes.

`ByHand` says what two of them say together, written down as plainly as it can be.
"""

import torch
from torch import nn
from torch.nn.functional import interpolate

COLOUR_MEAN, COLOUR_STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
GREY_MEAN, GREY_STD = 0.3, 0.25
EXPERT_MEAN, EXPERT_STD = 0.5, 0.5
EXPERT_KNOWS = ("8", "3", "9")


class Colours(nn.Module):
    """Pictures of 3 x 12 x 12; the classes from the last to the first."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.eyes, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, 10)

    def forward(self, x):
        if x.shape[1:] != (3, 12, 12):
            raise ValueError(x.shape)
        return 4 * self.head(self.eyes(x).relu().amax((2, 3)))


class Grey(nn.Module):
    """Pictures of 1 x 8 x 8."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Tanh(), nn.Linear(12, 10))

    def forward(self, x):
        if x.shape[1:] != (1, 8, 8):
            raise ValueError(x.shape)
        return 3 * self.layers(x)


class Expert(nn.Module):
    """Tells three classes apart, in an order of its own."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.head = nn.Linear(64, 3)

    def forward(self, x):
        return 2 * self.head(x.flatten(1))


def of_colours(model, picture):
    """Probabilities of the data's classes, of one raw picture."""
    seen = interpolate(picture.float().expand(3, -1, -1)[None], (12, 12), mode="bilinear", antialias=True)
    channels = [(seen[:, c] / 255 - COLOUR_MEAN[c]) / COLOUR_STD[c] for c in range(3)]
    return model(torch.stack(channels, dim=1)).softmax(dim=1)[0].flip(0)


def of_grey(model, picture):
    """Likewise."""
    return model((picture.float()[None] / 255 - GREY_MEAN) / GREY_STD).softmax(dim=1)[0]


def of_expert(model, picture):
    """Probabilities of its own classes, in its own order."""
    return model((picture.float()[None] / 255 - EXPERT_MEAN) / EXPERT_STD).softmax(dim=1)[0]


class ByHand(nn.Module):
    """Raw pictures, one by one; a third of what `Colours` says and two thirds of what `Grey` says."""

    def __init__(self):
        super().__init__()
        self.colours, self.grey = Colours(), Grey()

    def forward(self, raw):
        said = [of_colours(self.colours, each) / 3 + 2 * of_grey(self.grey, each) / 3 for each in raw]
        return torch.stack(said).log()
