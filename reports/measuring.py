"""How the commands measure: benchmarks; how much gradient survives, across depth and across time; training."""

from collections.abc import Callable
from inspect import getdoc
from pathlib import Path
from textwrap import TextWrapper
from typing import Annotated, Any

import pandas as pd
import typer

from reports.console import notes, progress_bar, resumable
from reports.options import (
    Activations,
    Architectures,
    Batch,
    Dask,
    Depths,
    DTypes,
    Format,
    Initializers,
    KeptOut,
    Lengths,
    Names,
    Rows,
    Seed,
    Seeds,
    Widths,
    Workers,
)
from reports.summary import training
from reports.tables import emit
from suites import summary, trained_summary
from suites.sweep import sweep
from suites.workers import executor

Command = Callable[..., None]

attenuate = typer.Typer(no_args_is_help=True, help="Measure how much gradient survives, beside its prediction.")


def measured(
    experiment: str, out: Path | None, grid: dict[str, Any], workers: int | None = 1, dask: str | None = None
) -> pd.DataFrame:
    """The rows of one experiment's grid, kept in the results folder out where one is given.

    workers: processes to measure in, as many as there are cores where None; 1 is this one. dask: the address of a
    scheduler, the workers of which measure instead.
    """
    with executor(workers, dask) as pool, resumable(out), progress_bar(experiment) as progress:
        return sweep(experiment, out=out, executor=pool, progress=progress, **grid)


def timed(suites: Names, profile: str, seed: int, out: Path, own: Names, select: str = "", more: bool = False) -> int:
    """Run benchmarks with a bar; how many failed, each with its reason on standard error."""
    from suites import benchmarks

    with progress_bar("benchmarks") as progress:
        failures = benchmarks.run(suites, profile, seed, out, select, more, progress, own)
    for name, reason in failures.items():
        notes.print(f"gradfade: benchmark failed: {name}: {reason}")
    return len(failures)


def survival(
    experiment: str,
    out: Path | None,
    rows: bool,
    format: str,
    workers: int,
    dask: str | None,
    summarise: Callable[[pd.DataFrame, str], tuple[pd.DataFrame, list[str]]] = summary.summarise,
    **grid: Any,
) -> None:
    """Measure an experiment on attenuation and print its summary, with what its blanks mean, or its rows."""
    table = measured(experiment, out, grid, workers, dask)
    if rows:
        emit(table, format)
        return
    printed, remarks = summarise(table, experiment)
    emit(printed, format)
    for remark in remarks:
        notes.print(f"gradfade: {remark}")


# What both commands that measure attenuation say of their inputs, and of their draws.
DRAWN = """\
The gradient enters the last position, iid N(0, 1). Cells share the standard normals that weights, inputs and gradient
are made of: the same seed is the same draw in all, so that they differ by what they are.

Prints a row per configuration: what it is, and

\b
"""


def explained(experiment: str) -> Callable[[Command], Command]:
    """Lengthen the help of a command that prints the summary of an experiment on attenuation by its columns."""
    wrapped = TextWrapper(width=76, subsequent_indent="    ")
    columns = (wrapped.fill(f"{name}: {told}") for name, told in summary.meaning(experiment).items())

    def lengthen(command: Command) -> Command:
        command.__doc__ = f"{getdoc(command)}\n\n{DRAWN}" + "\n".join(columns)
        return command

    return lengthen


@attenuate.command("depth")
@explained("depth")
def attenuate_depth(
    context: typer.Context,
    architectures: Architectures = ["plain"],  # noqa: B006
    activations: Activations = ["tanh"],  # noqa: B006
    initializers: Initializers = ["xavier_normal"],  # noqa: B006
    depths: Depths = [50],  # noqa: B006
    widths: Widths = [256],  # noqa: B006
    dtypes: DTypes = ["float32"],  # noqa: B006
    batch: Batch = 32,
    tokens: Annotated[int, typer.Option(help="Length of the sequences that Transformers take.")] = 16,
    seeds: Seeds = 8,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = None,
    out: KeptOut = None,
    rows: Rows = False,
    format: Format = "table",
) -> None:
    """Across depth: one backward pass through a deep network per seed.

    Inputs, position 0, are Gaussian, scaled so that the first pre-activations have mean square 1; a Transformer's are
    N(0, 1).
    """
    survival("depth", **context.params)


@attenuate.command("time")
@explained("time")
def attenuate_time(
    context: typer.Context,
    architectures: Architectures = ["rnn"],  # noqa: B006
    activations: Activations = ["tanh"],  # noqa: B006
    initializers: Initializers = ["xavier_normal"],  # noqa: B006
    lengths: Lengths = [100],  # noqa: B006
    widths: Widths = [256],  # noqa: B006
    depths: Annotated[list[int], typer.Option("--depth", help="Blocks of a Transformer; may be repeated.")] = [1],  # noqa: B006
    dtypes: DTypes = ["float32"],  # noqa: B006
    inputs: Annotated[int | None, typer.Option(help="Features of a cell's input. Default: 10, or the task's.")] = None,
    batch: Batch = 32,
    trained: Annotated[
        int, typer.Option(help="Steps of training on the adding problem before the gradient is measured.")
    ] = 0,
    seeds: Seeds = 8,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = None,
    out: KeptOut = None,
    rows: Rows = False,
    format: Format = "table",
) -> None:
    """Across time: one backward pass through a cell or Transformer per seed.

    Inputs are N(0, 1); position 0 is a cell's state before the first step, which is 0, or a Transformer's first step.
    Where weights are --trained, inputs are examples of the task, and columns trained, the steps of it, and loss, its
    mean squared error at the end, stand behind the others.
    """
    survival("time", summarise=trained_summary.summarise, **context.params)


def train(
    architectures: Architectures = ["mlp"],  # noqa: B006
    activations: Annotated[
        Names | None, typer.Option("--activation", help="Name, or FILE.py:NAME; may be repeated. Default: all.")
    ] = None,
    initializer: Annotated[str, typer.Option("--init", help="Name of an initialiser.")] = "he_normal",
    optimizer: Annotated[str, typer.Option(help="Name of an optimiser.")] = "adam",
    clip: Annotated[float | None, typer.Option(help="Largest global norm of a gradient. Default: any.")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training set.")] = 20,
    seeds: Seeds = 3,
    seed: Seed = 0,
    out: KeptOut = None,
    rows: Rows = False,
    format: Format = "table",
) -> None:
    """Train a network per architecture and activation on handwritten digits; mlp has dense layers alone.

    Recurrent cells and Transformers take an image row by row. Prints a row per activation: name, the configuration,
    final test accuracy with its 95 % interval, seconds per step, steps and seconds to the target accuracy, and how
    many seeds reached it.
    """
    grid = {"architectures": architectures, "epochs": epochs, **({"activations": activations} if activations else {})}
    grid |= {"initializers": [initializer], "optimizers": [optimizer], "clip": clip, "seeds": seeds, "seed": seed}
    table = measured("training", out, grid)
    emit(table if rows else training(table), format)
