"""Processes that measure cells beside one another."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Thread
from typing import Any

from kernels.jit import max_threads
from suites.errors import UserError, whole


@contextmanager
def executor(count: int | None = None, dask: str | None = None) -> Iterator[Executor | None]:
    """What cells are to be measured on: so many workers, or None, which is this process, for one.

    dask: the address of a Dask scheduler, the workers of which measure instead.

    Raises:
        UserError: count is not 1 or more, or there are none of Dask's workers that could measure for this process.
    """
    if dask is not None:
        from suites.cluster import cluster  # an extra

        if count not in (None, 1):
            raise UserError(f"give --workers {count}, processes here, or --dask {dask}, those of a cluster, not both")
        with cluster(dask) as pool:
            yield pool
    elif count is not None and whole("workers", count, 1) == 1:
        yield None
    else:
        with workers(count) as pool:
            yield pool


class Workers(Executor):
    """Processes; where one dies, what is submitted next begins with new ones.

    They leave Ctrl-C to this process, which lets each finish its cell, so that nothing is torn. Where this process is
    killed they end with it.
    """

    def __init__(self, count: int) -> None:
        """count: how many."""
        self._count = count
        self._pool = self._started()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """The future of function(*arguments, **named); BrokenProcessPool is its exception where a worker died."""
        try:
            return self._pool.submit(function, *arguments, **named)
        except BrokenProcessPool:
            self._pool = self._started()
            return self._pool.submit(function, *arguments, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, each after its cell."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._count, multiprocessing.get_context("spawn"), _prepare)


def workers(count: int | None = None) -> Workers:
    """So many processes, one for each core that this one may use where no count is given."""
    return Workers(count or max_threads())


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """They would wait for the next cell forever: each holds both ends of the queue that it comes from."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
