"""The command diagnose: one configuration, or the norms of one's own network."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from reports.console import progress_bar, resumable
from reports.diagnosis import show
from reports.options import Batch, Dask, DType, Format, KeptOut, Seed, Seeds, Width, Workers
from suites.errors import UserError


def diagnose(
    context: typer.Context,
    architecture: Annotated[str, typer.Option(help="Name.")] = "plain",
    activation: Annotated[str, typer.Option(help="Name, or FILE.py:NAME.")] = "tanh",
    initializer: Annotated[str, typer.Option("--init", help="Name of an initialiser.")] = "xavier_normal",
    depth: Annotated[int | None, typer.Option(help="Layers or blocks. Default: 50.")] = None,
    length: Annotated[int | None, typer.Option(help="Time steps, of what has them. Default: 100.")] = None,
    width: Width = 256,
    batch: Batch = 32,
    inputs: Annotated[int, typer.Option(help="Features of a cell's input.")] = 10,
    seeds: Seeds = 4,
    seed: Seed = 0,
    dtype: DType = "float32",
    norms: Annotated[
        Path | None, typer.Option(help="Judge a network of your own: parameter names and norms; - is standard input.")
    ] = None,
    workers: Workers = 1,
    dask: Dask = None,
    out: KeptOut = None,
    format: Format = "table",
) -> None:
    """Say whether a gradient vanishes or explodes, why, and which changes mend it: all of it measured.

    A row each, told apart by the column kind: the subject (name, verdict, caveats, decades with interval,
    predicted_decades), scales (other ways of judging it), parameters and parameter (norms of weight gradients under a
    loss, by kind of matrix and one by one), causes (the evidence, its threshold, and as effect "cause" where the
    decades are nearer to 0 without it by more than the seeds' noise and a quarter of them), remedies (effect: mends
    where the gradient is healthy with it; decades bought; time_ratio, of a training step to the baseline's, with its
    interval; nanoseconds per unit, sample and layer or step; decades per nanosecond added, free where nothing can be
    told to be added). A terminal shows the most of it in sections. Within a factor of ten over all layers or steps a
    gradient is healthy.

    --norms takes lines of a parameter's name and its gradient's norm, as "fc1.weight: 0.001234", "Layer: fc1.weight,
    Gradient Norm: 0.001234" or CSV, whose header says which columns are the name and the norm where there are more, the
    input's layers first, nan, inf and None among them, and judges weight matrices by the thresholds that hold for the
    absolute norms of a usual loss, and by a line through their logarithms; the column decides marks what the verdict is
    by.
    """
    if norms is not None:
        _nothing_to_measure(context)
        judge(norms, format)
        return
    from suites import diagnosis
    from suites.interventions import configured

    given: dict[str, Any] = {"architecture": architecture, "activation": activation, "initializer": initializer}
    given |= {"width": width, "batch": batch, "seeds": seeds, "seed": seed, "dtype": dtype}
    cell = configured(depth=depth, length=length, inputs=inputs, **given)
    with measuring(cell, out, workers, dask) as measure:
        table = diagnosis.diagnose(cell, measure)
    show(table, format)


def _nothing_to_measure(context: typer.Context) -> None:
    """UserError where an option is given besides --norms that says what or how to measure."""
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "")
        if option.name not in ("norms", "format") and given is not None and given.name == "COMMANDLINE":
            raise UserError(f"--norms judges norms as they are: {option.opts[0]} is for measuring, without it")


@contextmanager
def measuring(cell: Any, out: Path | None, workers: int, dask: str | None) -> Iterator[Any]:
    """measure(cells): the rows of each, kept in the folder out where one is given."""
    from suites.experiment import EXPERIMENTS
    from suites.interventions import kind
    from suites.results import Run
    from suites.workers import executor

    experiment = EXPERIMENTS[kind(cell)]
    run = None if out is None else Run.create(out, {"command": "diagnose", **vars(cell)})
    known: dict[Any, pd.DataFrame] = {}

    def measure(cells: Sequence[Any]) -> list[pd.DataFrame]:
        missing = [cell for cell in cells if cell not in known]
        if missing:
            with progress_bar("measuring") as progress:
                rows = experiment.run([*known, *missing] if run else missing, run, pool, progress)
            known.update({cell: _rows(rows, cell) for cell in missing})
        return [known[cell] for cell in cells]

    with executor(workers, dask) as pool, resumable(out):
        yield measure
    if run is not None:
        run.finish()


def _rows(rows: pd.DataFrame, cell: Any) -> pd.DataFrame:
    names = ("architecture", "activation", "initializer", "dtype")
    return rows[(rows[list(names)] == [getattr(cell, name) for name in names]).all(axis=1)]


def judge(path: Path, format: str) -> None:
    """Judge the norms in a file, or on standard input where it is -."""
    from suites.norms_file import read_norms
    from suites.norms_judged import judge as judged

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file") from None
    source = "standard input" if str(path) == "-" else str(path)
    show(judged(read_norms(text.splitlines(), source), source), format)
