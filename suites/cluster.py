"""A Dask cluster as an executor: the same cells and the same rows, measured by its workers."""

import logging
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from threading import Lock
from typing import Any

from suites.errors import UserError
from suites.experiment import code

log = logging.getLogger(__name__)

SECONDS = 5  # that a scheduler and its first worker may take to answer

_one_at_a_time = Lock()  # for workers of several threads


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The workers of the Dask scheduler at address.

    Raises:
        UserError: distributed is not installed, there is no such scheduler or no worker, or another gradfade.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UserError("--dask needs a package more: pip install 'gradfade[dask]'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its errors are told in a line, as ours are
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # versions are compared below
        try:
            client = Client(address, timeout=SECONDS, set_as_default=False, name="gradfade")
        except Exception as error:  # whatever: anything may listen there, and answer anything
            raise UserError(f"no Dask scheduler at {address}: {error}") from None
    with client:
        _check(client, address)
        yield Cluster(client, address)


def _check(client: Any, address: str) -> None:
    """UserError unless there are workers, and all could measure the rows that this process would."""
    try:
        client.wait_for_workers(1, timeout=SECONDS)
    except TimeoutError:
        raise UserError(f"the Dask scheduler at {address} has no workers") from None
    for worker, theirs in client.run(code, on_error="return").items():
        if isinstance(theirs, Exception):
            raise UserError(f"the Dask worker {worker} cannot run gradfade, install it there: {theirs}")
        _same(worker, theirs, code())


def _same(worker: str, theirs: Any, ours: Any) -> None:
    if theirs != ours:
        raise UserError(
            f"the Dask worker {worker} would measure other rows: its gradfade, Numba or CPU is another one ({theirs} there, "
            f"{ours} here)"
        )


class Cluster(Executor):
    """Dask's own executor, the errors of which are told as those of any executor."""

    def __init__(self, client: Any, address: str) -> None:
        """client: of the scheduler at address."""
        self._executor, self._address = client.get_executor(pure=False), address

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """The future of function(*arguments, **named); BrokenExecutor is its exception where its workers died."""
        ours: Future[Any] = Future()
        theirs = self._executor.submit(_there, code(), function, arguments, named)

        def hand_over(_: Future[Any]) -> None:
            if not ours.set_running_or_notify_cancel():
                return
            if theirs.cancelled():
                ours.set_exception(UserError(f"the Dask scheduler at {self._address} is gone"))
            elif (error := theirs.exception()) is None:
                ours.set_result(theirs.result())
            else:
                ours.set_exception(BrokenExecutor(str(error)) if type(error).__name__ == "KilledWorker" else error)

        theirs.add_done_callback(hand_over)
        ours.add_done_callback(lambda _: ours.cancelled() and theirs.cancel())
        return ours


def _there(ours: Any, function: Callable[..., Any], arguments: Any, named: Any) -> Any:
    """function(*arguments, **named), on a worker that came after the check, perhaps."""
    from distributed import get_worker

    _same(get_worker().address, code(), ours)
    with _one_at_a_time:
        return function(*arguments, **named)
