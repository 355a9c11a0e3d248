"""Several teachers as one module: each behind its own preprocessing, its outputs mapped onto the data's classes."""

from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor, nn

from limbeck.errors import ModelError
from limbeck.teachers.rules import ONE_OF, Panel, combined


class Together(nn.Module):
    """Raw views in, the panel's logits over the data's classes out.

    Args:
        members: modules from raw views to logits.
        columns: for each member, which of its outputs are taken, in order; `None`: all as they are.
        panel: how they are combined; the rules `ONE_OF`, when all are asked at once, by the mean of probabilities.
    """

    def __init__(self, members: Sequence[nn.Module], columns: Sequence[tuple[int, ...] | None], panel: Panel) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.columns = tuple(columns)
        self.panel = replace(panel, rule="probabilities") if panel.rule in ONE_OF else panel

    def forward(self, raw: Tensor) -> Float[Tensor, "b classes"]:
        """What they say together.

        Raises:
            ModelError: a member does not give logits.
        """
        return combined([self._said(number, raw) for number in range(len(self.members))], self.panel)

    def _said(self, number: int, raw: Tensor) -> Tensor:
        logits = self.members[number](raw)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            raise ModelError(f"teacher.ensemble: teacher {number + 1} must give logits of shape (rows, classes)")
        columns = self.columns[number]
        return logits.float() if columns is None else logits[:, list(columns)].float()

    def extra_repr(self) -> str:
        """How they are combined, so that it is part of the fingerprint."""
        return f"{self.panel}, columns={self.columns}"
