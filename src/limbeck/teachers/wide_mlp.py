"""`WideMLP`: a wide perceptron with dropout, the teacher for tables and other flat arrays."""

from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from limbeck.errors import ModelError


class WideMLP(nn.Module):
    """Flattens the input; `depth` hidden layers of `width` GELU units with layer normalisation and dropout.

    Args:
        inputs: shape of one example, flattened to one row.
        outputs: classes.
        width: units of a hidden layer, at least 1.
        depth: hidden layers, at least 1.
        dropout: share of units dropped in training, 0 <= dropout < 1.

    Raises:
        ModelError: a knob is out of range.

    Example:
        >>> import torch
        >>> WideMLP(inputs=(13,), outputs=3, width=32)(torch.zeros(2, 13)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self, *, inputs: tuple[int, ...], outputs: int, width: int = 512, depth: int = 3, dropout: float = 0.2
    ) -> None:
        super().__init__()
        if width < 1 or depth < 1 or not 0 <= dropout < 1:
            raise ModelError(f"wide-mlp: width {width}, depth {depth} must be at least 1, dropout {dropout} in [0, 1)")
        layers: list[nn.Module] = [nn.Flatten()]
        units = prod(inputs)
        for _ in range(depth):
            layers += [nn.Linear(units, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout)]
            units = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(units, outputs)

    def forward(self, x: Float[Tensor, "b ..."]) -> Float[Tensor, "b outputs"]:
        """Logits of normalised rows."""
        logits: Tensor = self.head(self.body(x))
        return logits
