"""Narrow strided 1 x 1 convolutions are kept out of the layout in which torch 2.14.1 corrupts memory."""

import torch
from torch import nn

from limbeck.core.runtime import Runtime
from limbeck.objectives import HardLabels, as_sum
from limbeck.training.engine import Engine


def test_pictures_of_one_channel_do_not_bring_the_layout_in():
    """They are in both layouts at once, and a convolution takes the strides at their word."""
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 1, stride=2), nn.Flatten(), nn.LazyLinear(2))
    pixels = torch.rand(3, 8, 8, 1).permute(0, 3, 1, 2)
    model(pixels)
    seen = []
    model[1].register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    Engine(Runtime("cpu", 1), model, as_sum(HardLabels())).forward(pixels)
    assert seen[0].is_contiguous()
    assert not seen[0].is_contiguous(memory_format=torch.channels_last)
