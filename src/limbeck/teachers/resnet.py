"""`ResNet`: a residual network with a strided stem (He et al. 2016), strong enough to teach small images."""

from jaxtyping import Float
from torch import Tensor, nn

from limbeck.errors import ModelError


class ResNet(nn.Module):
    """Stem, three stages of `depth` basic blocks with `width`, 2 `width`, 4 `width` channels, mean, linear head.

    The stem halves pictures of 16 pixels or more; the second and third stage halve pictures of 4 pixels or more.

    Args:
        inputs: (channels, height, width).
        outputs: classes.
        width: channels of the first stage, at least 1.
        depth: basic blocks a stage, at least 1.
        dropout: share of features dropped before the head in training, 0 <= dropout < 1.

    Raises:
        ModelError: the input is no image, or a knob is out of range.

    Example:
        >>> import torch
        >>> ResNet(inputs=(1, 8, 8), outputs=10, width=8, depth=1)(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self, *, inputs: tuple[int, ...], outputs: int, width: int = 32, depth: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if len(inputs) != 3:
            raise ModelError(
                f"resnet takes images (channels, height, width), but an example has shape {inputs}; "
                "use family: wide-mlp"
            )
        if width < 1 or depth < 1 or not 0 <= dropout < 1:
            raise ModelError(f"resnet: width {width}, depth {depth} must be at least 1, dropout {dropout} in [0, 1)")
        channels, height, breadth = inputs
        extent = min(height, breadth)
        stride = 2 if extent >= 16 else 1
        extent = -(-extent // stride)
        self.stem = _convolution(channels, width, stride)
        stages: list[nn.Module] = []
        planes = width
        for stage in range(3):
            stride = 2 if stage > 0 and extent >= 4 else 1
            extent = -(-extent // stride)
            after = width * 2**stage
            for block in range(depth):
                stages.append(_Block(planes, after, stride if block == 0 else 1))
                planes = after
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(planes, outputs)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b outputs"]:
        """Logits of normalised images."""
        features = self.stages(self.stem(x)).mean(dim=(2, 3))
        logits: Tensor = self.head(self.dropout(features))
        return logits


class _Block(nn.Module):
    def __init__(self, channels: int, planes: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(channels, planes, stride)
        self.second = nn.Sequential(nn.Conv2d(planes, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes))
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != planes:
            projection = nn.Conv2d(channels, planes, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(planes))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.activation(self.second(self.first(x)) + self.shortcut(x))
        return result


def _convolution(channels: int, planes: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, planes, 3, stride, padding=1, bias=False), nn.BatchNorm2d(planes), nn.ReLU(inplace=True)
    )
