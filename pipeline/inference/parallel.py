"""Map a function over items on several threads, each of which computes alone."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item], *, read_ahead: bool) -> Iterator[Result]:
    """Yield the result for each item, in their order; with `read_ahead`, from as many threads as torch would use.

    A call of the function computes on one thread, so that no result depends on the number of cores. At most one item a
    thread is read ahead of the result that is yielded.
    """
    with _one_core_a_call() as threads:
        if not read_ahead:
            yield from map(function, items)
            return
        with ThreadPoolExecutor(threads) as pool:
            pending: deque[Future[Result]] = deque()
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()


@contextmanager
def _one_core_a_call() -> Iterator[int]:
    """Let torch and numpy compute each call on the thread that makes it. Yields the number of threads before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, "blas"):
            yield threads
    finally:
        torch.set_num_threads(threads)
