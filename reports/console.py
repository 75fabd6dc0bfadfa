"""What a person at a terminal sees beside the results: notes and progress, on standard error."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

# The very stream: benchmarks run with standard error redirected, and progress must still be seen.
notes = Console(file=sys.stderr, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left, as report(done, total); nothing until there is something to do.

    It is redrawn only when told, so as not to disturb a measurement.
    """
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    left = (TextColumn("left"), TimeRemainingColumn())
    with ExitStack() as stack:
        progress = Progress(*columns, *left, console=notes, auto_refresh=False)
        task = progress.add_task(title, total=None)

        def report(done: int, total: int) -> None:
            if not progress.live.is_started and total:
                stack.enter_context(progress)
            progress.update(task, completed=done, total=total)
            progress.refresh()

        yield report
