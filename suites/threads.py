"""How many threads what is measured runs in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

from kernels.jit import num_threads, set_num_threads


@contextmanager
def one_thread() -> Iterator[None]:
    """Kernels and every BLAS in one thread: more would split sums elsewhere, and rows would not be the same bits."""
    before = num_threads()
    set_num_threads(1)
    try:
        with _libraries(len(sys.modules)).limit(limits=1, user_api="blas"):
            yield
    finally:
        set_num_threads(before)


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """Every BLAS of this process, looked for again (4 ms) once modules were imported, which may bring one."""
    return ThreadpoolController()
