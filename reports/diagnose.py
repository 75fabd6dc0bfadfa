"""The commands that judge: one configuration or the norms of one's own network, and what remedies are worth."""

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from reports.console import notes, progress_bar
from reports.options import Batch, Dask, DType, Format, KeptOut, Rows, Seed, Seeds, Width, Workers
from reports.tables import emit
from reports.words import listed, power, several, signed
from suites.errors import UserError
from suites.summary import FACTORS

# What a terminal shows of each kind of row; the other formats have every column.
SECTIONS = {
    "scale": ("The same gradient on several scales", ["name", "value", "unit", "verdict", "about"]),
    "cause": ("Why", ["name", "effect", "value", "threshold", "unit", "becomes", "decades", "decades_bought"]),
    "remedy": (
        "What would mend it, measured",
        ["name", "becomes", "decades", "verdict", "decades_bought", "decades_bought_low", "decades_bought_high",
         "time_ratio", "nanoseconds", "decades_per_nanosecond", "norm_before", "norm_after"],
    ),
    "parameter": ("By parameter", ["name", "value", "verdict", "about"]),
}  # fmt: skip


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

    A row each, told apart by the column kind: the subject (name, verdict, decades with interval, predicted_decades),
    scales (other ways of judging it), causes (the evidence, its threshold, and as effect "cause" where the decades are
    nearer to 0 without it by more than the seeds' noise and a quarter of them), remedies (decades bought, nanoseconds
    of a training step per unit, sample and layer or step, decades per added nanosecond, free where it takes no longer).
    A terminal shows them in sections. Within a factor of ten over all layers or steps a gradient is healthy.

    --norms takes CSV (name,norm; with or without a header) or lines such as "fc1.weight: 0.001234", the input's layers
    first, nan and inf among them, and judges weight matrices by the thresholds that hold for the absolute norms of a
    usual loss.
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

    with executor(workers, dask) as pool:
        yield measure
    if run is not None:
        run.finish()


def _rows(rows: pd.DataFrame, cell: Any) -> pd.DataFrame:
    names = ("architecture", "activation", "initializer", "dtype")
    return rows[(rows[list(names)] == [getattr(cell, name) for name in names]).all(axis=1)]


def judge(path: Path, format: str) -> None:
    """Judge the norms in a file, or on standard input where it is -."""
    from suites.norms_file import judge as judged
    from suites.norms_file import read_norms

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file") from None
    source = "standard input" if str(path) == "-" else str(path)
    show(judged(read_norms(text.splitlines(), source), source), format)


def show(table: pd.DataFrame, format: str) -> None:
    """Print a diagnosis: a terminal gets a sentence and a section for each kind of row."""
    if format != "table":
        emit(table, format)
        return
    typer.echo(headline(table))
    shown = _freed(table)
    for kind, (title, names) in SECTIONS.items():
        part = shown[shown.kind == kind]
        if len(part):
            emit(part[names], format, title=f"\n{title}")
    if (table.kind == "cause").any():
        typer.echo(reason(table))


def _freed(table: pd.DataFrame) -> pd.DataFrame:
    """The table as a terminal shows it: what costs nothing has no price."""
    if "free" not in table:
        return table
    per, free = table["decades_per_nanosecond"], table["free"].eq(True)
    shown = per.astype(object).mask(free & (per == math.inf), "free")
    return table.assign(decades_per_nanosecond=shown)


def headline(table: pd.DataFrame) -> str:
    """The verdict in a sentence."""
    (row,) = table[table.kind == "subject"].to_dict("records")
    factor = next((factor for _, factor in FACTORS.values() if f"decades_per_{factor}" in row), "layer")
    per = f"decades_per_{factor}"
    text = f"{row['name']}: {row['verdict']}. "
    if row["decades"] != row["decades"]:
        return text + f"{row['about']}."
    text += f"{power(row['decades'])} of the gradient is left: {signed(row['decades'])} decades, "
    text += f"{signed(row[per], 4)} per {factor}{_interval(row, per)}"
    predicted = row.get("predicted_decades", float("nan"))
    if row["about"] and per in row and "predicted_decades" in row:
        text += f"; {row['about']}"
    if predicted == predicted:
        text += f"; predicted {signed(predicted)}, {signed(row[f'predicted_{per}'], 4)} per {factor}"
    return text + "."


def _interval(row: dict[str, Any], name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f" ({signed(low, 4)} to {signed(high, 4)})" if low == low else ""


def reason(table: pd.DataFrame) -> str:
    """Which candidates are causes, in a sentence."""
    causes = table[(table.kind == "cause") & (table.effect == "cause")]
    if causes.empty:
        return "Cause: none of the candidates; no change that removes one brings the gradient nearer to being kept."
    found = [f"{row.name_} (without it {signed(row.decades)} decades)" for row in causes.rename(
        columns={"name": "name_"}).itertuples()]  # fmt: skip
    return f"{several(len(found), 'cause')}, each by itself: {listed(found)}."


def remedies(
    depth: Annotated[int, typer.Option(help="Layers.")] = 50,
    length: Annotated[int, typer.Option(help="Time steps.")] = 100,
    width: Width = 256,
    batch: Batch = 32,
    steps: Annotated[int, typer.Option(help="Training steps in which clipping and Adam are watched.")] = 50,
    seeds: Seeds = 3,
    seed: Seed = 0,
    dtype: DType = "float32",
    out: KeptOut = None,
    rows: Rows = False,
    format: Format = "table",
) -> None:
    """What remedies of a vanishing or exploding gradient are worth: decades bought per added nanosecond.

    Prints a row per baseline and remedy: decades, decades_bought with its 95 % interval, nanoseconds of a training step
    per unit, sample and layer or step, added_nanoseconds, time_ratio, decades_per_nanosecond (inf, "free", where a step
    takes no longer). Baselines "in training" are trained: there decades are of the update relative to the weights,
    first matrix over last, and clipped_share, norm_before and norm_after tell what clipping did.
    """
    from reports.figures_remedies import remedy_table
    from reports.measuring import measured

    grid = {"depth": depth, "length": length, "width": width, "batch": batch, "steps": steps}
    table = measured("remedies", out, {**grid, "seeds": seeds, "seed": seed, "dtype": dtype})
    if rows:
        emit(table, format)
        return
    worth = remedy_table(table)
    if format != "table":
        emit(worth, format)
        return
    for baseline, part in worth.groupby("baseline", sort=False):
        emit(_freed(part).drop(columns=["baseline", "free"]), format, title=f"\n{baseline}")
    notes.print("gradfade: a remedy of the update (clip, adam) leaves the gradient between layers as it is")
