"""What a person sees beside the results: notes and progress, on standard error."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

# Names of files and of activations are no markup, and :snake: is no picture.
AS_IT_IS: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}

# The very stream: benchmarks run with standard error redirected, and progress must still be seen.
notes = Console(file=sys.stderr, soft_wrap=True, **AS_IT_IS)

OURS = ("gradfade", "kernels", "suites", "reports")

EVERY = 30.0  # seconds between two lines of progress where there is no terminal

Report = Callable[[int, int], None]


class Told(logging.Formatter):
    """A line of a log behind the name of who tells it: gradfade, or a library of which it is not known here."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        library = record.name.partition(".")[0]
        return f"{'gradfade' if library in OURS else library}: {super().format(record)}"


def show_log() -> None:
    """Have what is logged printed, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Told())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


@contextmanager
def progress_bar(title: str) -> Iterator[Report]:
    """A bar with the time left, as report(done, total); nothing until there is something to do.

    It is redrawn only when told, so as not to disturb a measurement. Where standard error is no terminal, such as in a
    log, a line is printed now and then instead.
    """
    with ExitStack() as stack:
        yield _bar(title, stack) if notes.is_terminal else _lines(title)


def _bar(title: str, stack: ExitStack) -> Report:
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, TextColumn("left {task.fields[left]}"), console=notes, auto_refresh=False)
    task, pace = progress.add_task(title, total=None, left=""), Pace()

    def report(done: int, total: int) -> None:
        if not progress.live.is_started and total:
            stack.enter_context(progress)
        progress.update(task, completed=done, total=total, left=pace.left(done, total))
        progress.refresh()

    return report


def _lines(title: str) -> Report:
    pace, printed = Pace(), monotonic()

    def report(done: int, total: int) -> None:
        nonlocal printed
        left = pace.left(done, total)
        if monotonic() - printed >= EVERY and done < total:
            printed = monotonic()
            notes.print(f"gradfade: {title}: {done} of {total} done, {left} left")

    return report


@contextmanager
def resumable(out: Path | None) -> Iterator[None]:
    """Where the user interrupts, tell that the same command goes on with what is in the folder out, or that none is."""
    try:
        yield
    except KeyboardInterrupt:
        kept = f"what was measured is in {out}, and the same command goes on with it"
        notes.print(f"interrupted; {kept if out else 'nothing is kept without --out'}")
        raise


class Pace:
    """How fast things get done since the first report: what was done before, by a run that is resumed, took no time."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def left(self, done: int, total: int) -> str:
        """The time left as h:mm:ss; -:--:-- while nothing tells."""
        now = monotonic()
        start, before = self._first = self._first or (now, done)
        if done == before:
            return "-:--:--"
        return str(timedelta(seconds=round((now - start) * (total - done) / (done - before))))
