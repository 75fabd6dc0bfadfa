"""One thread, of every library, and what was before afterwards."""

from threadpoolctl import threadpool_info

from kernels.jit import num_threads
from suites.threads import one_thread


def test_one_thread_is_one_of_every_library_and_what_was_comes_back():
    def threads():
        return {row["filepath"]: row["num_threads"] for row in threadpool_info() if row["user_api"] == "blas"}

    before = threads(), num_threads()
    with one_thread():
        assert set(threads().values()) == {1}
        assert num_threads() == 1
    assert (threads(), num_threads()) == before
