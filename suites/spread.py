"""Cells beside one another: a few in flight at a time; what was in flight when a worker died is measured again."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from itertools import islice
from typing import Any

from suites import interrupts

log = logging.getLogger(__name__)

# Cells in flight: at first; of those that were when a worker died; of those that were when another died meanwhile.
# More than one waits for each worker, and a hundred thousand do not wait in memory. The last, being alone, is at fault.
IN_FLIGHT = (256, 16, 1)


class DeadlyCellError(Exception):
    """What an executor that tries other workers itself tells of a cell that killed all of them."""


def spread(
    executor: Executor, measure: Callable[[Any], Any], cells: Iterable[Any], windows: tuple[int, ...] = IN_FLIGHT
) -> Iterator[tuple[Any, Any]]:
    """Each cell with measure(cell) as they are done, or with None where its worker died every time.

    A worker's death is a future's BrokenExecutor; executor has to go on with other workers then.

    Raises:
        BrokenExecutor: executor cannot go on, or its workers die whatever they are given.
    """
    window, *fewer = windows
    waiting = iter(cells)
    flight: dict[Future[Any], Any] = {}
    try:
        while True:
            for cell in islice(waiting, window - len(flight)):
                flight[executor.submit(measure, cell)] = cell
            if not flight:
                return
            lost = []
            done = wait(flight, return_when=FIRST_COMPLETED).done
            while done:
                interrupts.check()
                future = done.pop()
                cell = flight.pop(future)
                try:
                    result = future.result()
                except BrokenExecutor:
                    lost.append(cell)
                    done = wait(flight).done
                except DeadlyCellError:
                    yield cell, None
                else:
                    yield cell, result
            if lost and fewer:
                log.warning("a worker died: the cells that waited for it (%d) go to others", len(lost))
                yield from spread(executor, measure, lost, tuple(fewer))
            elif lost:
                executor.submit(int).result()
                yield from ((cell, None) for cell in lost)
    finally:
        for future in flight:
            future.cancel()
