"""gradfade's command line; wiring only."""

import errno
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

# Importing takes a second or two, in which Ctrl-C would show a traceback; main() has another way of taking it.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))

import pandas as pd
import typer

from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS, OPTIMIZERS, jit
from reports.claims_command import claims
from reports.console import notes, progress_bar, show_log
from reports.critical import critical, phase, spectrum
from reports.diagnose import diagnose
from reports.doctor import doctor
from reports.lyapunov import lyapunov
from reports.measuring import attenuate, measured, timed, train
from reports.options import Format, KeptOut, Names, Out, Own, Profile, Seed
from reports.remedies import remedies
from reports.tables import emit, shown
from suites import interrupts
from suites.environment import version
from suites.errors import UserError, known
from suites.experiment import EXPERIMENTS
from suites.own_activations import beside_known
from suites.results import Run, new_folder

# What takes longest to import (pytest, seaborn, scikit-learn) is imported by the commands that need it.

FAILED, USER_ERROR, NOTHING_MEASURED, INTERRUPTED = 1, 2, 10, 130

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(attenuate, name="attenuate")


@app.command()
def run(profile: Profile = "quick", out: Out = None, seed: Seed = 0, own: Own = []) -> None:  # noqa: B006
    """The main job: cost and gradient survival of every activation, training, and the report.

    --activation FILE.py:NAME judges one of your own beside them. FILE.py has NAME(x, a), or NAME(x), and its derivative
    NAME_derivative(x, y, a), y = NAME(x, a); and, where they apply, NAME_a, the value of a; NAME_kinks, where the
    derivative jumps; NAME_reference(x, a) and NAME_reference_derivative(x, a), float64 NumPy forms to measure the
    accuracy in. Numba compiles them: they return the type of x, so constants are T(0.5) with T = type(x).
    """
    from reports.page import render
    from suites import benchmarks, profiles

    own = beside_known(own)
    cells = profiles.cells(profile, seed, own)
    results = Run.create(out, profiles.configuration("run", profile, seed, own))
    if results.resumed:
        notes.print(f"{results.folder} holds an unfinished run of this configuration: resumed")
    try:
        failed = timed(benchmarks.COSTS, profile, seed, results.folder, own, more=True)
        for name, these in cells.items():
            with progress_bar(name) as progress:
                EXPERIMENTS[name].run(these, results, progress=progress)
        results.finish()
        typer.echo(render(results.folder))
    except KeyboardInterrupt:
        notes.print(f"interrupted; gradfade report {results.folder} shows what was measured")
        raise
    if failed:
        raise typer.Exit(FAILED)


@app.command()
def bench(
    suites: Annotated[Names | None, typer.Argument(help="Suites, such as activations or dense. Default: all.")] = None,
    select: Annotated[str, typer.Option("-k", help="Only benchmarks whose names match, as in pytest.")] = "",
    profile: Profile = "quick",
    out: Out = None,
    seed: Seed = 0,
    own: Own = [],  # noqa: B006
    format: Format = "table",
) -> None:
    """Time kernels, layers and training steps; every result is checked before it is timed."""
    from reports import ratios
    from reports.load import load
    from reports.method import startup
    from suites.benchmarks import SUITES

    folder = out or new_folder()
    try:
        failed = timed(suites or list(SUITES), profile, seed, folder, own, select)
    except KeyboardInterrupt:
        notes.print(f"interrupted; what was measured is in {folder}")
        raise
    results = load(folder)
    cost, peers = results["cost"], ratios.cells(results["peers"])
    emit(shown(cost) if format == "table" else cost, format)
    if format in ("table", "markdown"):
        for title, table in ratios.summary(peers).items():
            emit(table, format, title=title)
    if starting := startup(cost):
        notes.print(starting)
    notes.print(f"results: {folder}")
    if failed:
        raise typer.Exit(FAILED)


for command in (train, diagnose, remedies, critical, phase, spectrum, lyapunov, claims):
    app.command()(command)


@app.command()
def certify(
    names: Annotated[Names | None, typer.Argument(help="Activations, FILE.py:NAME among them. Default: all.")] = None,
    exhaustive: Annotated[bool, typer.Option("--exhaustive", help="All 2^32 float32 inputs, not a sample.")] = False,
    dtypes: Annotated[
        Names | None, typer.Option("--dtype", help="float32 or float64; may be repeated. Default: both.")
    ] = None,
    seed: Seed = 0,
    out: KeptOut = None,
    document: Annotated[Path | None, typer.Option(help="Markdown file to write, with commit and machine.")] = None,
    format: Format = "table",
) -> None:
    """Measure the errors of activations and their derivatives; exit 1 where a promise is broken.

    float32 is compared with float64 references, on 2^22 inputs of every binade and all edge cases, or with
    --exhaustive on all inputs (two minutes per activation on two cores); float64 with mpmath. PyTorch's and JAX's
    errors stand beside, from the sample, where they are installed. Prints a row per activation, direction, parameter
    and implementation:
    name, largest_ulp and the input at which it was met, promised_ulp, correctly_rounded, verdict; the formats other
    than table have also mismatches, flushed subnormal numbers and monotonicity breaks.
    """
    from reports import accuracy
    from suites.certificate import broken, certificate
    from suites.environment import environment

    if document is not None:
        accuracy.check_writable(document)
    grid = {"activations": names or list(ACTIVATIONS), "exhaustive": exhaustive, "seed": seed}
    grid |= {"dtypes": dtypes} if dtypes else {}
    table = certificate(measured("accuracy", out, grid, workers=None))
    if document is not None:
        accuracy.write(document, table, environment())
    emit(accuracy.shown(table) if format == "table" else table, format)
    failures = broken(table)
    for row in failures.itertuples():
        notes.print(f"gradfade: promise broken: {row.name} {row.direction} {row.dtype}: {row.broken_by}")
    if len(failures):
        raise typer.Exit(FAILED)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="Results folder.")]) -> None:
    """Make the report of a results folder, finished or not; prints the page's path."""
    from reports.page import render

    typer.echo(render(folder))


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="Results folder, or a JSON file that pytest-benchmark saved.")],
    b: Annotated[Path, typer.Argument(help="The other one.")],
    fail_over: Annotated[str | None, typer.Option(help="Exit 1 if a benchmark is slower by more: 10%.")] = None,
    format: Format = "table",
) -> None:
    """Put two runs side by side: B against A."""
    from reports import compare as comparing

    threshold = None if fail_over is None else comparing.threshold(fail_over)
    comparison = comparing.compare(comparing.read_side(a), comparing.read_side(b), threshold)
    comparing.show(comparison, format)
    if comparison.status is comparing.Status.SLOWER:
        notes.print(f"gradfade: benchmarks of {b} are slower by more than {fail_over}")
        raise typer.Exit(FAILED)
    if comparison.status is comparing.Status.NOTHING_IN_COMMON:
        notes.print("gradfade: the two runs have nothing in common")
        raise typer.Exit(NOTHING_MEASURED)


app.command()(doctor)


@app.command("list")
def list_names(
    kind: Annotated[str | None, typer.Argument(help="Such as activations. Default: all.")] = None,
    format: Format = "table",
) -> None:
    """The names that can be given to the other commands."""
    from reports.figures import FIGURES
    from suites.benchmarks import SUITES

    tables: dict[str, Any] = {"activations": ACTIVATIONS, "initializers": INITIALIZERS, "architectures": ARCHITECTURES}
    tables |= {"optimizers": OPTIMIZERS, "experiments": EXPERIMENTS, "figures": FIGURES, "suites": SUITES}
    kinds = {name: (name, table) for name, table in tables.items()}
    chosen = known(kinds, "kind", [kind] if kind else kinds)
    emit(pd.DataFrame([{"kind": name, "name": row} for name, table in chosen for row in table]), format)


def print_version(wanted: bool) -> None:
    """Print the version and stop, where it is wanted."""
    if wanted:
        typer.echo(f"gradfade {version()}")
        raise typer.Exit


@app.callback()
def common(
    show_version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What activations, initialisers and cells cost to train with on a CPU, and how much gradient survives them."""


def main() -> None:
    """Run the command line.

    Exit codes: 0 done, 1 what was checked failed, 2 the user's mistake, 10 nothing to compare, 130 interrupted.
    """
    interrupts.listen()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends us as it ends any filter
    show_log()
    try:
        with interrupts.heeded():
            code = app(standalone_mode=False)
            sys.stdout.flush()
            sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except typer.TyperException as error:
        message = error.format_message()
        notes.print(message if "\n" in message else f"gradfade: {message}")
    except UserError as error:
        notes.print(f"gradfade: {error}")
    except MemoryError as error:
        notes.print(f"gradfade: not enough memory: {error}")
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO)
        output = f"cannot write the output, or compiled kernels below {jit.CACHE_DIR}: " if full else ""
        what = f"{error.filename}: " if error.filename else output
        notes.print(f"gradfade: {what}{error.strerror or error}")
        with suppress(OSError):  # what could not be written would be tried again when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(USER_ERROR)


if __name__ == "__main__":
    main()
