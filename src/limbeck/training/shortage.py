"""Memory ran out in training: which batch size to try, and the pieces that give the same training in less memory."""

from pathlib import Path

from limbeck.core.memory import is_shortage, shortage
from limbeck.training import checkpoint


def refuse_shortage(error: Exception, *, name: str, rows: int, pieces: int, path: Path | None) -> None:
    """Raises the error of our tree where memory ran out; returns where something else happened.

    Args:
        error: what happened.
        name: of the training.
        rows: examples of the step that was tried, over all processes; 0 before the first.
        pieces: `accumulate` as it is.
        path: of the checkpoint, if one is kept.

    Raises:
        OutOfMemoryError: names the settings to try, and where the run would go on.
    """
    if not is_shortage(error):
        return
    kept = path is not None and path.exists()
    go_on = (
        f"the same command goes on from step {checkpoint.peek(path).step}"
        if kept and path is not None
        else "nothing is lost"
    )
    raise shortage(
        _what(name, rows, pieces), f"{mend(rows, pieces)}. Where another program took the memory, {go_on}"
    ) from error


def mend(rows: int, pieces: int) -> str:
    """Settings that need about half the memory for activations.

    Example:
        >>> mend(256, 1)
        'set train.accumulate: 2 (the same steps in 2 pieces of 128), or train.batch_size: 128, with another --out'
    """
    piece = -(-rows // pieces)
    if piece <= 1:
        return "no batch is smaller; take a smaller student, or a machine with more memory"
    half = -(-piece // 2)
    count = -(-rows // half)
    return (
        f"set train.accumulate: {count} (the same steps in {count} pieces of {half}), or train.batch_size: {half}, "
        "with another --out"
    )


def _what(name: str, rows: int, pieces: int) -> str:
    if rows == 0:
        return f"{name}: the student, before its first step,"
    split = f" in {pieces} pieces" if pieces > 1 else ""
    return f"{name}: a step with {rows} examples{split}"
