"""The command remedies: what changes of a network are worth, and what they cost."""

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from reports.console import notes, progress_bar, resumable
from reports.options import Batch, Dask, DType, Format, KeptOut, Names, Rows, Seed, Seeds, Width, Workers
from reports.remedy_prices import legend, priced
from reports.tables import emit, say
from reports.words import number, percent, signed

EXPERIMENTS_OF = ("remedies", "remedy_times")


def remedies(
    kinds: Annotated[Names, typer.Option("--kind", help="depth or time; may be repeated.")] = ["depth", "time"],  # noqa: B006
    depth: Annotated[int, typer.Option(help="Layers.")] = 50,
    length: Annotated[int, typer.Option(help="Time steps.")] = 100,
    width: Width = 256,
    batch: Batch = 32,
    steps: Annotated[int, typer.Option(help="Training steps in which clipping and Adam are watched.")] = 50,
    seeds: Seeds = 3,
    seed: Seed = 0,
    dtype: DType = "float32",
    workers: Workers = 1,
    dask: Dask = None,
    out: KeptOut = None,
    rows: Rows = False,
    format: Format = "table",
) -> None:
    """What remedies of a vanishing or exploding gradient are worth: decades bought per added nanosecond.

    Prints a row per baseline and remedy: decades, effect (mends where the gradient is healthy with it),
    decades_bought with its 95 % interval, baseline_nanoseconds of a training step per unit, sample and layer or step,
    time_ratio to that with its interval, added_nanoseconds, decades_per_nanosecond (inf, "free", where nothing can be
    told to be added). Baselines "in training" are trained, on digits or, cells, on the adding problem: there decades
    are of the update relative to the weights, first matrix over last, and loss, clipped_share, norm_before and
    norm_after tell what clipping did.
    """
    from reports.remedy_table import remedy_table, update_table

    grid = {"depth": depth, "length": length, "width": width, "batch": batch, "kinds": kinds}
    measured, times = _measured(
        grid | {"steps": steps, "seeds": seeds, "seed": seed, "dtype": dtype}, out, workers, dask
    )
    if rows:
        emit(pd.concat([measured, times]), format)
        return
    worth = remedy_table(measured, times)
    if format != "table":
        emit(worth, format)
        return
    for baseline, part in worth.groupby("baseline", sort=False):
        _show(str(baseline), part)
    _show_updates(update_table(measured, times))
    notes.print("gradfade: a remedy of the update (clip, adam) leaves the gradient between layers as it is")


def _measured(grid: dict[str, Any], out: Path | None, workers: int, dask: str | None) -> list[pd.DataFrame]:
    """The rows of both experiments, kept in one results folder where one is given."""
    from suites.experiment import EXPERIMENTS
    from suites.results import Run
    from suites.workers import executor

    cells = {name: EXPERIMENTS[name].cells(**grid) for name in EXPERIMENTS_OF}
    run = None if out is None else Run.create(out, {"command": "remedies", **grid})
    if run is not None and run.resumed:
        notes.print(f"gradfade: {out} held an unfinished run of this configuration: resumed")
    found = []
    with executor(workers, dask) as pool, resumable(out):
        for name, these in cells.items():
            with progress_bar(name) as progress:
                found.append(EXPERIMENTS[name].run(these, run, pool, progress))
    if run is not None:
        run.finish()
    return found


def _show(baseline: str, part: pd.DataFrame) -> None:
    base, changed = part[part.remedy == ""].iloc[0], part[part.remedy != ""]
    factor = "layer" if base.kind == "depth" else "step"
    timed = f"{number(changed.baseline_nanoseconds.iloc[0])} ns per unit, sample and {factor}"
    trained, known = part.clipped_share.notna().any(), part.decades.notna().any()
    if known:
        told = changed.assign(decades_bought=changed.decades_bought.round(6))  # what only roundings buy is 0
        emit(priced(told), title=f"\n{baseline}: {base.verdict}, {signed(base.decades)} decades")
        if trained:
            typer.echo("decades: of the first step's update relative to the weights, first matrix over last.")
        say(legend(changed, timed))
    if trained:
        _show_training(part, "" if known else f"\n{baseline}")
        if not known:
            typer.echo(f"time: a training step over the baseline's, {timed}.")


def _show_training(part: pd.DataFrame, title: str) -> None:
    """What clipping and Adam do in training; with a title of its own times, too, which have not been told before."""

    def text(value: float) -> str:
        return number(value) if value == value else "no number"

    shown = pd.DataFrame({
        "remedy": part.remedy.mask(part.remedy == "", "none"),
        "loss": part.loss.map(text),
        "clipped": part.clipped_share.map(percent),
        "norm before": part.norm_before.map(text),
        "norm after": part.norm_after.map(text),
        "time": [f"{ratio:.2f}" if ratio == ratio else "1" for ratio in part.time_ratio],
    })  # fmt: skip
    emit(shown if title else shown.drop(columns="time"), title=title)
    typer.echo("loss: at the last step; clipped: share of the steps; norm: of the gradient, all parameters together.")


def _show_updates(table: pd.DataFrame) -> None:
    """The first step of SGD and Adam side by side: at most five matrices, the first and the last among them."""
    first = table[(table.step == 1) & table.remedy.isin(["", "adam"])]
    first = first.assign(matrix=first.parameter + first.position.map(" {:.0f}".format))
    for baseline, part in first.groupby("baseline", sort=False):
        wide = part.pivot_table(index="matrix", columns="remedy", values=["gradient", "update"], sort=False)
        shown = pd.DataFrame({
            "matrix": wide.index,
            "gradient": wide["gradient", ""].map(number),
            "SGD's update": wide["update", ""].map(number),
            "Adam's update": wide["update", "adam"].map(number),
        })  # fmt: skip
        few = sorted({round(i * (len(shown) - 1) / 4) for i in range(5)})
        emit(shown.iloc[few], title=f"\n{baseline}: norms in the first step")
