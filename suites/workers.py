"""Processes that measure cells beside one another."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from threading import Thread

from kernels.blas import set_threads
from kernels.jit import max_threads
from suites.errors import whole


@contextmanager
def executor(count: int | None = None) -> Iterator[Executor | None]:
    """What cells are to be measured on: so many workers, or None, which is this process, for one.

    UserError unless count is 1 or more.
    """
    if count is not None and whole("workers", count, 1) == 1:
        yield None
        return
    with workers(count) as pool:
        yield pool


def workers(count: int | None = None) -> ProcessPoolExecutor:
    """So many processes, one for each core that this one may use where no count is given; each runs one thread.

    They leave Ctrl-C to this process, which lets each finish its cell, so that nothing is torn. Where this process is
    killed they end with it.
    """
    return ProcessPoolExecutor(count or max_threads(), multiprocessing.get_context("spawn"), _prepare)


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_threads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """They would wait for the next cell forever: each holds both ends of the queue that it comes from."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
