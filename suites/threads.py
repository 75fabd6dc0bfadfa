"""How many threads what is measured runs in."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from kernels.jit import num_threads, set_num_threads


@contextmanager
def one_thread() -> Iterator[None]:
    """Kernels and every BLAS in one thread: more would split sums elsewhere, and rows would not be the same bits."""
    before = num_threads()
    set_num_threads(1)
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield
    finally:
        set_num_threads(before)
