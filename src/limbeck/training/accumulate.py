"""One optimiser step in several passes: a batch that does not fit into memory is computed in pieces."""

from collections.abc import Iterator, Sequence

from limbeck.core import processes
from limbeck.core.batch import Batch
from limbeck.core.protocols import Objective
from limbeck.errors import RecipeError


def pieces(batch: Batch, count: int, objective: Objective) -> Iterator[tuple[Batch, Sequence[float] | None]]:
    """The batch in `count` pieces whose sizes differ by at most one row, with their shares of the loss.

    Args:
        batch: of one optimiser step.
        count: how many pieces, at least 1; a batch of fewer rows gives one piece a row.
        objective: whose parts say what they are means over.

    Yields:
        A piece, and for each part of the objective the piece's share of its mass (0 where nothing in the batch
        counts). The losses of the pieces times these shares add up to the loss of the batch; `None` stands for
        a single piece. Of a batch that several processes hold, their sums are what has the batch's loss as its mean.

    Example:
        >>> import torch
        >>> from limbeck.objectives import HardLabels, as_sum
        >>> number = torch.arange(5)
        >>> batch = Batch(number, number, torch.ones(5, 1), target=number, target_mask=number > 2)
        >>> [(len(piece), shares) for piece, shares in pieces(batch, 2, as_sum(HardLabels()))]
        [(2, [0.0]), (3, [1.0])]
    """
    count = min(count, len(batch))
    world = processes.world()
    if count <= 1 and (world == 1 or couples(objective)):  # then every process computes the loss of the whole batch
        yield batch, None
        return
    ends = [len(batch) * (number + 1) // count for number in range(count)]
    parts = [batch.rows(slice(start, end)) for start, end in zip([0, *ends], ends, strict=False)]
    masses = [objective.masses(part) for part in parts]
    totals = processes.sums([sum(column) for column in zip(*masses, strict=True)])
    for part, own in zip(parts, masses, strict=True):
        yield part, [world * mass / total if total > 0 else 0.0 for mass, total in zip(own, totals, strict=True)]


def check(objective: Objective, count: int) -> None:
    """Refuses pieces where examples of a batch are compared with one another.

    Raises:
        RecipeError: the objective would mean something else on each piece.
    """
    if count > 1 and couples(objective):
        raise RecipeError(
            f"train: accumulate: {count} would show the objective ({objective}) only the examples of one piece at a "
            "time, and it compares the examples of a batch with one another; use accumulate: 1 and a smaller batch_size"
        )


def couples(objective: Objective) -> bool:
    """Whether the objective compares the examples of a batch with one another."""
    return bool(getattr(objective, "couples_batch", False))
