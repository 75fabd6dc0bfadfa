"""The command of the ledger of claims."""

from pathlib import Path
from typing import Annotated, Any

import typer

from reports.claims import details, judged, ledger
from reports.load import Tables, load
from reports.measuring import measured
from reports.options import Dask, Format, KeptOut, Seed, Seeds, Width, Workers
from reports.tables import emit
from suites.errors import UserError

SHOWN = ["number", "source", "claim", "said", "measured", "low", "high", "theory", "unit", "verdict"]


def claims(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="Results folder. Default: measure what the claims need.")
    ] = None,
    width: Width = 128,
    seeds: Seeds = 3,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = None,
    out: KeptOut = None,
    parts: Annotated[bool, typer.Option("--parts", help="Print every part of every claim instead.")] = False,
    format: Format = "table",
) -> None:
    """Judge what the two documents claim by the tables of a run.

    Prints a row per claim: number, source, claim, what the document said of its main part, that part measured with its
    95 % interval and predicted, verdict, and why in the formats other than table. Verdicts: holds, holds in part, does
    not hold, cannot tell (the interval reaches across the bound), not testable as stated, not measured in this run.
    With --parts: a row per part, with its bounds.
    """
    grid = {"width": width, "seeds": seeds, "seed": seed}
    if folder is None:
        run = Tables(Path(), {}, {"claims": measured("claims", out, grid, workers, dask)})
    else:
        _nothing_to_measure(context, folder)
        run = load(folder)
    found = judged(run)
    if parts:
        emit(details(found), format)
    else:
        emit(ledger(found)[SHOWN] if format == "table" else ledger(found), format)


def _nothing_to_measure(context: typer.Context, folder: Path) -> None:
    """UserError where an option is given that says how to measure."""
    options: dict[str, Any] = {name: context.get_parameter_source(name) for name in context.params}
    given = [
        name for name in ("width", "seeds", "seed", "workers", "dask", "out") if options[name].name == "COMMANDLINE"
    ]
    if given:
        raise UserError(f"{folder} is judged as it was measured: --{given[0]} is for measuring anew, without a folder")
