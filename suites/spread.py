"""Cells beside one another: few in flight at a time; what was in flight when a worker died is measured again.

An executor may be made of parts, executors of one process each. Each part then goes through cells that follow one
another, which may share work, and one that has no more takes the later half of what another has left, unless it would
do the shared work again for a few cells.
"""

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from itertools import pairwise
from time import monotonic
from typing import Any

from suites import interrupts

log = logging.getLogger(__name__)

# Cells in flight: at first; of those that were when a worker died; of those that were when another died meanwhile.
# More than one waits for each worker, and a hundred thousand do not wait in memory. The last, being alone, is at fault.
IN_FLIGHT = (256, 16, 1)
ALONE = (1, 1, 1)  # of a part: what waits for it can still be taken by another
# A part that took less than SHORT seconds for a cell, and for which more than MANY wait, has its next one before it is
# done with one: no pause between them, enough left for others to take, and Ctrl-C does not wait for two long ones.
SHORT, MANY = 1.0, 8
# Cells that are taken from others that share work with them, at least: to draw a network takes as long as to measure
# it one to eight times, and whoever has them goes through as many meanwhile.
WORTHWHILE = 4


class DeadlyCellError(Exception):
    """What an executor that tries other workers itself tells of a cell that killed all of them."""


def spread(
    executor: Executor,
    measure: Callable[[Any], Any],
    cells: Iterable[Any],
    windows: tuple[int, ...] | None = None,
    near: Callable[[Any], Any] | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Each cell with measure(cell) as they are done, or with None where its worker died every time.

    A worker's death is a future's BrokenExecutor; executor has to go on with other workers then. windows: cells in
    flight in each part, as IN_FLIGHT says. near(cell): cells that follow one another and of which it is the same share
    work in a process; None where none do.

    Raises:
        BrokenExecutor: executor cannot go on, or its workers die whatever they are given.
    """
    parts = getattr(executor, "parts", None) or [executor]
    window, *fewer = windows or (IN_FLIGHT if len(parts) == 1 else ALONE)
    waiting = _shares([*cells], len(parts))
    flight: dict[Future[Any], tuple[int, Any]] = {}
    busy = [0] * len(parts)  # cells in flight
    begun: dict[int, Any] = {}  # the last of each part's
    done_at = [-math.inf] * len(parts)

    def supply(number: int) -> None:
        """Give a part its next cells, if there are any."""
        took, done_at[number] = monotonic() - done_at[number], monotonic()
        ahead = len(parts) > 1 and took < SHORT and len(waiting[number]) > MANY
        while busy[number] < window + ahead:
            if not waiting[number]:
                _take_half(waiting, number, begun, near)
            if not waiting[number]:
                break
            cell = begun[number] = waiting[number].popleft()
            flight[parts[number].submit(measure, cell)] = number, cell
            busy[number] += 1

    try:
        for number in range(len(parts)):
            supply(number)
        while flight:
            lost: list[tuple[int, Any]] = []
            done = wait(flight, return_when=FIRST_COMPLETED).done
            while done:
                interrupts.check()
                future = done.pop()
                number, cell = flight.pop(future)
                busy[number] -= 1
                try:
                    result = future.result()
                except BrokenExecutor:
                    lost.append((number, cell))
                    done |= wait([other for other, (part, _) in flight.items() if part == number]).done
                except DeadlyCellError:
                    supply(number)
                    yield cell, None
                else:
                    supply(number)
                    yield cell, result
            for number in dict.fromkeys(number for number, _ in lost):
                yield from _again(parts[number], measure, [cell for part, cell in lost if part == number], fewer)
                supply(number)
    finally:
        for future in flight:
            future.cancel()


def _again(
    part: Executor, measure: Callable[[Any], Any], lost: list[Any], windows: list[int]
) -> Iterator[tuple[Any, Any]]:
    if windows:
        log.warning("a worker died: the cells that waited for it (%d) are measured again", len(lost))
        yield from spread(part, measure, lost, tuple(windows))
    else:
        part.submit(int).result()
        yield from ((cell, None) for cell in lost)


def _shares(cells: list[Any], count: int) -> list[deque[Any]]:
    """As many runs of cells, of about the same length."""
    ends = [i * len(cells) // count for i in range(count + 1)]
    return [deque(cells[first:end]) for first, end in pairwise(ends)]


def _take_half(
    waiting: list[deque[Any]], number: int, begun: dict[int, Any], near: Callable[[Any], Any] | None
) -> None:
    """Move the later half, or more, of the longest line that has some to give to the part of that number, in order.

    Those that share work with a cell that stays, the one begun at least, stay where they are not WORTHWHILE.
    """
    for part in sorted(range(len(waiting)), key=[-len(line) for line in waiting].__getitem__):
        line = waiting[part]
        taken = [line.pop() for _ in range((len(line) + 1) // 2)][::-1]
        if near is not None and part in begun:
            ahead = near(line[-1] if line else begun[part])
            sharing = next((i for i, cell in enumerate(taken) if near(cell) != ahead), len(taken))
            if sharing < WORTHWHILE:
                line.extend(taken[:sharing])
                taken = taken[sharing:]
        if taken:
            waiting[number].extend(taken)
            return
