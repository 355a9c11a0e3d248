"""`ConvNet`: a depthwise-separable convolutional network (MobileNet, Howard et al. 2017), for images."""

from jaxtyping import Float
from torch import Tensor, nn

from limbeck.errors import ModelError


class ConvNet(nn.Module):
    """Stem, `depth` depthwise-separable blocks, global average, linear head.

    Only operators that every target has: convolution, batch normalisation (folded on export), ReLU, mean, matrix
    product. Every second block doubles the channels (from `width`, at most 8 times) and halves the picture while it is
    at least 8 pixels wide; a stem before pictures of 16 pixels or more halves it once.

    Args:
        inputs: (channels, height, width).
        outputs: classes.
        width: channels of the stem, at least 1.
        depth: blocks, at least 1.

    Raises:
        ModelError: the input is no image, or a knob is below 1.

    Example:
        >>> import torch
        >>> ConvNet(inputs=(1, 28, 28), outputs=10, width=16, depth=4)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(self, *, inputs: tuple[int, ...], outputs: int, width: int = 16, depth: int = 4) -> None:
        super().__init__()
        if len(inputs) != 3:
            raise ModelError(
                f"convnet takes images (channels, height, width), but an example has shape {inputs}; use family: mlp"
            )
        if width < 1 or depth < 1:
            raise ModelError(f"convnet: width {width} and depth {depth} must be at least 1")
        channels, height, breadth = inputs
        extent = min(height, breadth)
        stride = 2 if extent >= 16 else 1
        layers: list[nn.Module] = [_convolution(channels, width, kernel=3, stride=stride)]
        extent, planes = -(-extent // stride), width
        for block in range(depth):
            grows = block % 2 == 0 and planes < 8 * width
            stride = 2 if grows and extent >= 8 else 1
            after = 2 * planes if grows else planes
            layers += [
                _convolution(planes, planes, kernel=3, stride=stride, groups=planes),
                _convolution(planes, after, kernel=1),
            ]
            extent, planes = -(-extent // stride), after
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(planes, outputs)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b outputs"]:
        """Logits of normalised images."""
        logits: Tensor = self.head(self.body(x).mean(dim=(2, 3)))
        return logits


def _convolution(channels: int, planes: int, *, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, planes, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(planes),
        nn.ReLU(inplace=True),
    )
