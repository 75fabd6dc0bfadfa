"""Processes that measure cells beside one another."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import cycle
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
        with _broken_pipes_told(), cluster(dask) as pool:
            yield pool
    elif count is not None and whole("workers", count, 1) == 1:
        yield None
    else:
        with _broken_pipes_told(), workers(count) as pool:
            yield pool


@contextmanager
def _broken_pipes_told() -> Iterator[None]:
    """Have a pipe to a worker that died be an error, by which it is replaced, not the signal that ends this process."""
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, before)


class Worker(Executor):
    """A process; where it dies, what is submitted next begins with a new one.

    It leaves Ctrl-C to this process, which lets it finish its cell, so that nothing is torn. Where this process is
    killed it ends with it.
    """

    def __init__(self) -> None:
        """Begun with what is submitted first."""
        self._pool = self._started()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """The future of function(*arguments, **named); BrokenProcessPool is its exception where the worker died."""
        try:
            return self._pool.submit(function, *arguments, **named)
        except BrokenProcessPool:
            self._pool = self._started()
            return self._pool.submit(function, *arguments, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the process, after its cell."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _prepare)


class Workers(Executor):
    """So many processes, its parts: each keeps what it drew, so that spread gives it cells that follow one another."""

    def __init__(self, count: int) -> None:
        """count: how many."""
        self.parts = [Worker() for _ in range(count)]
        self._turns = cycle(self.parts)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """The future of function(*arguments, **named), of the parts by turns."""
        return next(self._turns).submit(function, *arguments, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, each after its cell."""
        for part in self.parts:
            part.shutdown(wait=False, cancel_futures=cancel_futures)
        for part in self.parts if wait else ():
            part.shutdown()


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
