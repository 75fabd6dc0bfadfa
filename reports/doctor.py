"""The command that examines: the machine, or gradfade itself on it."""

from typing import Annotated

import typer

from reports.console import notes, progress_bar
from reports.options import Format
from reports.tables import emit


def doctor(
    clear_cache: Annotated[bool, typer.Option("--clear-cache", help="Delete the compiled kernels on disk.")] = False,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Measure what has a known answer; exit 1 where it is another.")
    ] = False,
    format: Format = "table",
) -> None:
    """The environment, the kernel cache and the limits of this machine.

    With --self-test a row per known answer instead: name, expected, measured, tolerance, verdict (passed or FAILED).
    """
    from suites import doctor as examination

    if clear_cache:
        typer.echo(f"{examination.clear_cache() / 2**20:.1f} MiB of compiled kernels deleted")
    elif self_test:
        from suites.self_test import failed
        from suites.self_test import self_test as measured

        with progress_bar("self-test") as progress:
            table = measured(progress)
        emit(table, format)
        if failures := failed(table):
            notes.print(f"gradfade: not as known: {', '.join(failures)}")
            raise typer.Exit(1)
    else:
        emit(examination.examine(), format)
