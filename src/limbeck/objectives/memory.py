"""A bounded memory of what both sides said about examples, by example id, that is saved in checkpoints."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from limbeck.objectives.draws import scramble


class Memory(nn.Module):
    """Vectors of both sides in as many slots as there are, one example a slot; all of it is saved in checkpoints.

    An example's slot is a hash of its id: no table of ids is needed, and examples that share a slot replace each other.

    Args:
        slots: how many examples are remembered at most, at least 1; 8 * width + 9 bytes each.
        width: of a vector.
        momentum: share of the old vector where the same example comes again, 0 <= momentum < 1.
    """

    ids: Tensor
    filled: Tensor
    student: Tensor
    teacher: Tensor

    def __init__(self, slots: int, width: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        rows = slots + 1  # the last takes what must not be written, so that shapes never depend on the data
        self.register_buffer("ids", torch.zeros(rows, dtype=torch.int64))
        self.register_buffer("filled", torch.zeros(rows, dtype=torch.bool))
        self.register_buffer("student", torch.zeros(rows, width))
        self.register_buffer("teacher", torch.zeros(rows, width))

    def others(self, ids: Int[Tensor, " b"]) -> Bool[Tensor, "b rows"]:
        """True where another example than the row's is remembered."""
        return self.filled & (ids[:, None] != self.ids)

    @torch.no_grad()
    def remember(
        self,
        ids: Int[Tensor, " b"],
        counts: Bool[Tensor, " b"],
        student: Float[Tensor, "b width"],
        teacher: Float[Tensor, "b width"],
    ) -> None:
        """Writes down rows that count, scaled to length 1; of those that share a slot, the first."""
        spare = len(self.filled) - 1
        slot = (scramble(ids) & (2**63 - 1)) % spare
        before = torch.tril(torch.ones(len(ids), len(ids), dtype=torch.bool, device=ids.device), diagonal=-1)
        taken = (before & counts & (slot[:, None] == slot)).any(dim=1)
        writes = counts & ~taken
        slot = torch.where(writes, slot, spare)
        again = (self.filled[slot] & (self.ids[slot] == ids))[:, None]
        for bank, vectors in ((self.student, student), (self.teacher, teacher)):
            mixed = self.momentum * bank[slot] + (1 - self.momentum) * vectors
            kept = torch.nn.functional.normalize(torch.where(again, mixed, vectors), dim=1)
            bank[slot] = torch.where(writes[:, None], kept, 0).to(bank.dtype)
        self.ids[slot] = torch.where(writes, ids, 0)
        self.filled[slot] = writes
