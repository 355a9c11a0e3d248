"""The processes that run one recipe together (torchrun): who this one is, and how they agree.

Thin over torch.distributed. Within `joined` there are as many as the launcher started; everywhere else there is one,
which is rank 0 of 1, and every function here is free.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from limbeck.core.company import ALONE, Company, Watch
from limbeck.core.interrupt import handled

if TYPE_CHECKING:
    from torch import Tensor
    from torch._C._distributed_c10d import Store

T = TypeVar("T")

_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class _State:
    company: Company | None = None
    joins = 0


def rank() -> int:
    """Which of the processes this one is: 0 is the main one, which writes."""
    return 0 if _State.company is None else _State.company.rank


def world() -> int:
    """How many processes work together."""
    return 1 if _State.company is None else _State.company.world


def patience() -> float:
    """Seconds in which a second signal is the launcher's echo of the first."""
    return 0.0 if _State.company is None else 2.0


def is_main() -> bool:
    """Whether this is the process that writes and speaks."""
    return rank() == 0


def launched() -> int:
    """How many processes torchrun (or another launcher of its kind) started; 1 without one."""
    if not all(name in os.environ for name in _NEEDED) or not os.environ["WORLD_SIZE"].isdigit():
        return 1
    return int(os.environ["WORLD_SIZE"])


def speaks() -> bool:
    """Whether this process tells the user what all did together, also after `joined`: without torchrun, every one."""
    return launched() == 1 or os.environ["RANK"] == "0"


def take_device() -> None:
    """Makes "cuda" mean this process's own GPU, the one of its number on this machine."""
    import torch

    local = os.environ.get("LOCAL_RANK", "")
    if local.isdigit() and torch.cuda.is_available() and int(local) < torch.cuda.device_count():
        torch.cuda.set_device(int(local))


@contextmanager
def joined() -> Iterator[None]:
    """Joins the processes that the launcher started, for the time of the block; does nothing where it started one.

    Where one of them fails, it tells why, and the others leave with its exit code; where one is lost, one of the others
    says so.

    Yields:
        Nothing.

    Raises:
        ProcessLostError: another process was lost.
        SystemExit: another process failed, and said so itself.
    """
    if launched() == 1 or _State.company is not None:
        yield
        return
    store, ours = _meet()
    company = _State.company = Company(store, *_place())
    watch = Watch(company)
    try:
        yield
        company.wait()
        company.leave()
    except BaseException as error:
        with handled(lambda _number, _frame: None):  # the launcher's signal to those who are left comes just now
            ending = company.ending(error)
            _part(watch, ours=ours and not _on_gpus())  # NCCL would wait for those who are gone
        if ending is error:
            raise
        raise ending from (error if "LIMBECK_DEBUG" in os.environ else None)
    else:
        _part(watch, ours=ours)


def barrier() -> None:
    """Waits until every process is here, however long that takes."""
    if _State.company is not None:
        _State.company.wait()


def gather(value: T) -> list[T]:
    """Everybody's value, by rank; of any kind that can be copied from process to process."""
    if _State.company is None:
        return [value]
    from torch import distributed

    found: list[Any] = [None] * world()
    distributed.all_gather_object(found, value)
    return found


def agreed(value: T) -> T:
    """The main process's value, so that all decide alike."""
    return gather(value)[0]


def sums(values: Sequence[float]) -> list[float]:
    """The sum over the processes, number by number, in float64."""
    if _State.company is None:
        return list(values)
    import torch

    found: list[float] = add_up(torch.tensor(values, dtype=torch.float64)).tolist()
    return found


def add_up(tensor: "Tensor") -> "Tensor":
    """The sum over the processes, in place."""
    if _State.company is not None:
        from torch import distributed

        distributed.all_reduce(tensor)
    return tensor


def _meet() -> "tuple[Store, bool]":
    """The launcher's store, with the group that collectives use; and whether the group is ours to end."""
    import torch
    from torch import distributed
    from torch._C._distributed_c10d import PrefixStore

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # else accelerate chooses a number of threads
    take_device()
    ours = not distributed.is_initialized()
    if ours:
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(backend, timeout=ALONE)
    _State.joins += 1
    default = distributed.distributed_c10d._get_default_store()  # noqa: SLF001 - the launcher's, under any backend
    return PrefixStore(f"limbeck/{_State.joins}", default), ours


def _place() -> tuple[int, int]:
    from torch import distributed

    return distributed.get_rank(), distributed.get_world_size()


def _on_gpus() -> bool:
    import torch

    return torch.cuda.is_available()


def _part(watch: Watch, *, ours: bool) -> None:
    """From here on there is one process; ends the group if it is ours, and lets accelerate forget it."""
    from accelerate.state import AcceleratorState
    from torch import distributed

    watch.stop()
    _State.company = None
    if ours:
        AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001
        distributed.destroy_process_group()
