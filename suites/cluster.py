"""A Dask cluster as an executor: the same cells and the same rows, measured by its workers."""

import logging
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from suites.errors import UserError
from suites.experiment import code
from suites.spread import DeadlyCellError

log = logging.getLogger(__name__)

SECONDS = 5  # that a scheduler and its first worker may take to answer
PATIENCE = 30  # seconds without any worker, while new ones may be starting

_one_at_a_time = Lock()  # for workers of several threads


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The workers of the Dask scheduler at address.

    Raises:
        UserError: distributed is not installed, there is no such scheduler or no worker, or another gradfade.
    """
    try:
        from distributed import Client
        from distributed.comm import resolve_address
    except ImportError:
        raise UserError(
            "--dask needs Dask's package distributed: pip install '.[dask]' in gradfade's checkout"
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its errors are told in a line, as ours are
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # versions are compared below
        try:
            resolve_address(address)  # a client of one that is none would complain once more when it is thrown away
            client = Client(address, timeout=SECONDS, set_as_default=False, name="gradfade")
        except Exception as error:  # whatever: anything may listen there, and answer anything
            raise UserError(f"no Dask scheduler at {address}, says Dask: {error}") from None
    ended = Event()
    with client:
        _check(client, address)
        pool = Cluster(client, address)
        Thread(target=pool.watch, args=(ended,), daemon=True).start()
        try:
            yield pool
        finally:
            ended.set()


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
        differ = f"its gradfade, Numba or CPU is another one, {theirs} and not {ours}"
        raise UserError(f"the Dask worker {worker} would measure other rows: {differ}")


class Cluster(Executor):
    """Dask's own executor, the errors of which are told as those of any executor."""

    def __init__(self, client: Any, address: str) -> None:
        """client: of the scheduler at address."""
        self._client, self._address, self._executor = client, address, client.get_executor(pure=False)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """The future of function(*arguments, **named).

        Its exception is DeadlyCellError where it killed so many workers that Dask gave it up, and UserError where the
        scheduler or all workers are gone.
        """
        ours: Future[Any] = Future()
        theirs = self._executor.submit(_there, code(), function, arguments, named)

        def hand_over(_: Future[Any]) -> None:
            if not ours.set_running_or_notify_cancel():
                return
            if theirs.cancelled():
                ours.set_exception(UserError(f"the Dask scheduler at {self._address} is gone, or its workers are"))
            elif (error := theirs.exception()) is None:
                ours.set_result(theirs.result())
            else:
                ours.set_exception(DeadlyCellError() if type(error).__name__ == "KilledWorker" else error)

        theirs.add_done_callback(hand_over)
        ours.add_done_callback(lambda _: ours.cancelled() and theirs.cancel())
        return ours

    def watch(self, ended: Event) -> None:
        """Until ended: give everything up once there have been no workers for long, for which Dask would wait."""
        seen = monotonic()
        while not ended.wait(1):
            try:
                workers = self._client.nthreads()
            except Exception:  # of the scheduler: its end is told by the futures
                return
            if workers:
                seen = monotonic()
            elif monotonic() - seen > PATIENCE:
                self._executor.shutdown(wait=False)
                return


def _there(ours: Any, function: Callable[..., Any], arguments: Any, named: Any) -> Any:
    """function(*arguments, **named), on a worker that came after the check, perhaps."""
    from distributed import get_worker

    _same(get_worker().address, code(), ours)
    with _one_at_a_time:
        return function(*arguments, **named)
