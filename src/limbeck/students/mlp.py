"""`MLP`: a plain multi-layer perceptron, for tables and other flat arrays."""

from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from limbeck.errors import ModelError


class MLP(nn.Module):
    """Flattens the input; `depth` hidden layers of `width` ReLU units with batch normalisation; linear head.

    Args:
        inputs: shape of one example, flattened to one row.
        outputs: classes.
        width: units of a hidden layer, at least 1.
        depth: hidden layers, at least 0 (a linear model).

    Raises:
        ModelError: a knob is out of range.

    Example:
        >>> import torch
        >>> MLP(inputs=(13,), outputs=3, width=16, depth=1)(torch.zeros(2, 13)).shape
        torch.Size([2, 3])
    """

    def __init__(self, *, inputs: tuple[int, ...], outputs: int, width: int = 64, depth: int = 2) -> None:
        super().__init__()
        if width < 1 or depth < 0:
            raise ModelError(f"mlp: width {width} must be at least 1 and depth {depth} at least 0")
        layers: list[nn.Module] = [nn.Flatten()]
        units = prod(inputs)
        for _ in range(depth):
            layers += [nn.Linear(units, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
            units = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(units, outputs)

    def forward(self, x: Float[Tensor, "b ..."]) -> Float[Tensor, "b outputs"]:
        """Logits of normalised rows."""
        logits: Tensor = self.head(self.body(x))
        return logits
