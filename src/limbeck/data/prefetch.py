"""Reading ahead on a few threads, for sources whose examples have to be decoded; order is kept."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from limbeck.core.machine import cores
from limbeck.data.source import Source

_MOST_WORKERS = 4

T = TypeVar("T")
R = TypeVar("R")


def decodes(source: Source) -> bool:
    """Whether reading costs so much (image files) that it pays to read ahead; such a source can be read by threads."""
    return bool(getattr(source, "decodes", False))


def read_ahead(items: Iterable[T], work: Callable[[T], R]) -> Iterator[tuple[T, R]]:
    """Each item with `work(item)`, in order, while a few threads work on the next ones.

    `items` may be endless: at most two a thread are under way. An error of `work` is raised where its item is due.

    Example:
        >>> list(read_ahead("ab", str.upper))
        [('a', 'A'), ('b', 'B')]
    """
    workers = min(_MOST_WORKERS, cores())
    waiting = iter(items)
    under_way: deque[tuple[T, Future[R]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="limbeck-read")
    try:
        under_way.extend((item, pool.submit(work, item)) for item in islice(waiting, 2 * workers))
        while under_way:
            item, future = under_way.popleft()
            result = future.result()
            under_way.extend((following, pool.submit(work, following)) for following in islice(waiting, 1))
            yield item, result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
