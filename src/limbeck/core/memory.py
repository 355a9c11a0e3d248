"""Out of memory, whoever says so: CUDA, the CPU's allocator, or Python."""

from collections.abc import Iterator
from contextlib import contextmanager

from limbeck.errors import OutOfMemoryError

_SAID = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


def is_shortage(error: BaseException) -> bool:
    """Whether an exception means that memory ran out.

    Example:
        >>> is_shortage(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."))
        True
        >>> is_shortage(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
        False
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error).lower() for said in _SAID)


def shortage(what: str, mend: str) -> OutOfMemoryError:
    """The error of our tree.

    Args:
        what: was done, for the message: "student, seed 0: a step with 256 examples".
        mend: what to do, in the imperative.
    """
    return OutOfMemoryError(f"{what} does not fit into memory; {mend}")


@contextmanager
def plain_shortage(what: str, mend: str) -> Iterator[None]:
    """Turns any exception that means a shortage into the error of our tree; others pass.

    Args:
        what: is done in the block.
        mend: what to do, in the imperative.

    Yields:
        Nothing.

    Raises:
        OutOfMemoryError: memory ran out.

    Example:
        >>> with plain_shortage("labelling", "set train.batch_size: 64"):
        ...     raise MemoryError
        Traceback (most recent call last):
        limbeck.errors.OutOfMemoryError: labelling does not fit into memory; set train.batch_size: 64
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_shortage(error):
            raise shortage(what, mend) from error
        raise
