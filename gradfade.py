"""gradfade's command line; wiring only."""

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from reports.console import notes, progress_bar
from suites.errors import UserError

# Suites that `run` leaves out: attenuation is measured by its experiments, peers need other packages.
NOT_IN_RUN = ("attenuation", "peers")
# Columns of a benchmark that fit a terminal; the other formats have all.
SHOWN = ["benchmark", "ns_per_element", "gb_per_s", "gflop_per_s", "fraction_of_limit", "limit"]
FAILED, USER_ERROR, NOTHING_MEASURED = 1, 2, 10

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
attenuate = typer.Typer(no_args_is_help=True, help="Measure how much gradient survives, beside its prediction.")
app.add_typer(attenuate, name="attenuate")


class Format(StrEnum):
    """How a table is printed."""

    table = "table"
    csv = "csv"
    json = "json"


class Profile(StrEnum):
    """How much is measured."""

    quick = "quick"
    full = "full"


Names = list[str]
Out = Annotated[Path | None, typer.Option("--out", help="Results folder. Default: a new one below results/.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How the table is printed.")]
ProfileOption = Annotated[Profile, typer.Option("--profile", help="quick: about two minutes; full: everything.")]
Seed = Annotated[int, typer.Option("--seed", help="First seed.")]
Seeds = Annotated[int, typer.Option("--seeds", help="Number of seeds.")]
Activations = Annotated[Names, typer.Option("--activation", help="Name; may be repeated.")]
Architectures = Annotated[Names, typer.Option("--architecture", help="Name; may be repeated.")]
Initializers = Annotated[Names, typer.Option("--init", help="Name of an initialiser; may be repeated.")]
Width = Annotated[int, typer.Option("--width", help="Units per layer.")]
Batch = Annotated[int, typer.Option("--batch", help="Samples.")]
DType = Annotated[str, typer.Option("--dtype", help="float32 or float64.")]
Rows = Annotated[bool, typer.Option("--rows", help="Print every measured row instead of a summary.")]


def timed(suites: Names, profile: Profile, seed: int, out: Path, select: str = "", more: bool = False) -> int:
    """Run benchmarks with a bar; how many failed, each with its reason on standard error."""
    from suites import benchmarks

    with progress_bar("benchmarks") as progress:
        failures = benchmarks.run(suites, profile.value, seed, out, select, more, progress)
    for name, reason in failures.items():
        notes.print(f"gradfade: benchmark failed: {name}: {reason}")
    return len(failures)


def measured(name: str, grid: dict[str, Any], out: Path | None) -> Any:
    """The table of one experiment's grid, kept in the results folder out where one is given."""
    from suites.sweep import sweep

    with progress_bar(name) as progress:
        return sweep(name, out=out, progress=progress, **grid)


@app.command()
def run(profile: ProfileOption = Profile.quick, out: Out = None, seed: Seed = 0) -> None:
    """The main job: cost and gradient survival of every activation, training, and the report."""
    from reports.page import render
    from suites import benchmarks, profiles
    from suites.experiment import EXPERIMENTS
    from suites.results import Run

    cells = profiles.cells(profile.value, seed)
    results = Run.create(out, {"profile": profile.value, "seed": seed})
    if results.resumed:
        notes.print(f"{results.folder} holds an unfinished run of this configuration: resumed")
    try:
        costs = [name for name in benchmarks.SUITES if name not in NOT_IN_RUN]
        failed = timed(costs, profile, seed, results.folder, more=True)
        for name, these in cells.items():
            with progress_bar(name) as progress:
                EXPERIMENTS[name].run(these, results, progress=progress)
        results.finish()
    except KeyboardInterrupt:
        notes.print(f"interrupted; gradfade report {results.folder} shows what was measured")
        raise
    typer.echo(render(results.folder))
    if failed:
        raise typer.Exit(FAILED)


@app.command()
def bench(
    suites: Annotated[Names | None, typer.Argument(help="Suites, such as activations or dense. Default: all.")] = None,
    select: Annotated[str, typer.Option("-k", help="Only benchmarks whose names match, as in pytest.")] = "",
    profile: ProfileOption = Profile.quick,
    out: Out = None,
    seed: Seed = 0,
    format: FormatOption = Format.table,
) -> None:
    """Time kernels, layers and training steps; every result is checked before it is timed."""
    from reports.load import load
    from reports.tables import emit
    from suites.benchmarks import SUITES
    from suites.results import new_folder

    folder = out or new_folder()
    failed = timed(suites or list(SUITES), profile, seed, folder, select)
    cost = load(folder)["cost"]
    emit(cost.reindex(columns=SHOWN) if format is Format.table else cost, format)
    notes.print(f"results: {folder}")
    if failed:
        raise typer.Exit(FAILED)


def summarise(name: str, grid: dict[str, Any], out: Path | None, rows: bool, format: Format) -> None:
    """Measure an experiment on attenuation and print its summary or its rows."""
    from reports.tables import emit
    from suites import summary

    table = measured(name, grid, out)
    emit(table if rows else summary.attenuation(table, name), format)


@attenuate.command("depth")
def attenuate_depth(
    architecture: Architectures = ["plain"],  # noqa: B006
    activation: Activations = ["tanh"],  # noqa: B006
    init: Initializers = ["xavier_normal"],  # noqa: B006
    depth: Annotated[int, typer.Option("--depth", help="Layers.")] = 50,
    width: Width = 256,
    batch: Batch = 32,
    seeds: Seeds = 8,
    seed: Seed = 0,
    dtype: DType = "float32",
    out: Out = None,
    rows: Rows = False,
    format: FormatOption = Format.table,
) -> None:
    """Across depth: one backward pass through a deep network per seed."""
    grid = {"architectures": architecture, "activations": activation, "initializers": init, "depth": depth}
    grid |= {"width": width, "batch": batch, "seeds": seeds, "seed": seed, "dtype": dtype}
    summarise("depth", grid, out, rows, format)


@attenuate.command("time")
def attenuate_time(
    architecture: Architectures = ["rnn"],  # noqa: B006
    activation: Activations = ["tanh"],  # noqa: B006
    init: Initializers = ["xavier_normal"],  # noqa: B006
    length: Annotated[int, typer.Option("--length", help="Time steps.")] = 100,
    width: Width = 256,
    batch: Batch = 32,
    inputs: Annotated[int, typer.Option("--inputs", help="Features of the input.")] = 10,
    seeds: Seeds = 8,
    seed: Seed = 0,
    dtype: DType = "float32",
    out: Out = None,
    rows: Rows = False,
    format: FormatOption = Format.table,
) -> None:
    """Across time: one backward pass through an unrolled cell per seed."""
    grid = {"architectures": architecture, "activations": activation, "initializers": init, "length": length}
    grid |= {"width": width, "batch": batch, "inputs": inputs, "seeds": seeds, "seed": seed, "dtype": dtype}
    summarise("time", grid, out, rows, format)


@app.command()
def train(
    activation: Annotated[Names | None, typer.Option(help="Name; may be repeated. Default: all.")] = None,
    init: Annotated[str, typer.Option("--init", help="Name of an initialiser.")] = "he_normal",
    seeds: Seeds = 3,
    seed: Seed = 0,
    out: Out = None,
    rows: Rows = False,
    format: FormatOption = Format.table,
) -> None:
    """Train a network of dense layers per activation on handwritten digits."""
    from kernels import ACTIVATIONS
    from reports.summary import training
    from reports.tables import emit

    grid = {"activations": activation or list(ACTIVATIONS), "initializers": [init], "seeds": seeds, "seed": seed}
    table = measured("training", grid, out)
    emit(table if rows else training(table), format)


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
    format: Annotated[str, typer.Option("--format", help="table, markdown, csv or json.")] = "table",
) -> None:
    """Put two runs side by side: B against A."""
    from reports import compare as comparing

    threshold = comparing.threshold(fail_over) if fail_over else None
    comparison = comparing.compare(comparing.read_side(a), comparing.read_side(b), threshold)
    comparing.show(comparison, format)
    if comparison.status is comparing.Status.SLOWER:
        notes.print(f"gradfade: benchmarks of {b} are slower by more than {fail_over}")
        raise typer.Exit(FAILED)
    if comparison.status is comparing.Status.NOTHING_IN_COMMON:
        notes.print("gradfade: the two runs have nothing in common")
        raise typer.Exit(NOTHING_MEASURED)


@app.command()
def doctor(
    clear_cache: Annotated[bool, typer.Option("--clear-cache", help="Delete the compiled kernels on disk.")] = False,
    format: FormatOption = Format.table,
) -> None:
    """The environment, the kernel cache and the limits of this machine."""
    from reports.tables import emit
    from suites import doctor as examination

    if clear_cache:
        typer.echo(f"{examination.clear_cache() / 2**20:.1f} MiB of compiled kernels deleted")
        return
    emit(examination.examine(), format)


@app.command("list")
def list_names(
    kind: Annotated[str | None, typer.Argument(help="Such as activations. Default: all.")] = None,
    format: FormatOption = Format.table,
) -> None:
    """The names that can be given to the other commands."""
    import pandas as pd

    from kernels import ACTIVATIONS, ARCHITECTURES, INITIALIZERS, OPTIMIZERS
    from reports.figures import FIGURES
    from reports.tables import emit
    from suites.benchmarks import SUITES
    from suites.errors import known
    from suites.experiment import EXPERIMENTS

    tables: dict[str, Any] = {"activations": ACTIVATIONS, "initializers": INITIALIZERS, "architectures": ARCHITECTURES}
    tables |= {"optimizers": OPTIMIZERS, "experiments": EXPERIMENTS, "figures": FIGURES, "suites": SUITES}
    kinds = {name: (name, table) for name, table in tables.items()}
    chosen = known(kinds, "kind", [kind] if kind else kinds)
    emit(pd.DataFrame([{"kind": name, "name": row} for name, table in chosen for row in table]), format)


def print_version(wanted: bool) -> None:
    """Print the version and stop, where it is wanted."""
    from suites.environment import version

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
    """Run the command line. Exit codes: 0 done, 1 what was checked failed, 2 the user's mistake, 130 interrupted."""
    logging.basicConfig(level=logging.INFO, format="gradfade: %(message)s", stream=sys.stderr)
    try:
        sys.exit(app(standalone_mode=False))
    except typer.TyperException as error:
        message = error.format_message()
        notes.print(message if "\n" in message else f"gradfade: {message}")
    except UserError as error:
        notes.print(f"gradfade: {error}")
    sys.exit(USER_ERROR)


if __name__ == "__main__":
    main()
